import { existsSync } from 'node:fs'
import { dirname } from 'node:path'

/** The folder itself, or of one that is to be made the nearest above that exists. */
export function nearestFolder(folder: string): string {
  let there = folder
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there)
  return there
}
