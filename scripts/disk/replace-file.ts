import { chmodSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { createFile } from './create-file.ts'
import { syncToDisk } from './sync-to-disk.ts'

/**
 * Writes a file so that whoever reads it, also after a crash, finds the old content or the new one. `mode` holds whatever
 * the umask says. Throws what the disk says.
 */
export function replaceFile(path: string, content: string, mode: number): void {
  const draft = `${path}.${process.pid}.draft`
  rmSync(draft, { force: true })
  try {
    createFile(draft, Buffer.from(content), mode)
    chmodSync(draft, mode)
    syncToDisk(draft)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  syncToDisk(dirname(path))
}
