import { readdirSync } from 'node:fs'

/** What is in a folder; nothing where it is not there, or is a file. Throws what else the disk says. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
