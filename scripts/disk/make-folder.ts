import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncToDisk } from './sync-to-disk.ts'

/**
 * A folder and those around it, as `mkdir -p` makes them; those that it makes survive a power cut. Throws what the disk says.
 * The recursive mkdir of Node 20 never returns where the system says of a folder that is there that it is not, as /proc does.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // another process was quicker
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error
    return
  }
  try {
    syncToDisk(parent)
  } catch (error) {
    rmdirSync(path)
    throw error
  }
}
