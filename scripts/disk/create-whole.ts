import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createFile } from './create-file.ts'
import { makeFolder } from './make-folder.ts'
import { putInPlace } from './put-in-place.ts'
import { syncToDisk } from './sync-to-disk.ts'

/**
 * Makes a file that is there whole or not at all, also after a power cut, and never in place of another one: false when
 * one is there already. A folder that is missing gets the file's own privacy. Throws what the disk says.
 */
export function createWhole(path: string, text: string, mode: 0o600 | 0o644): boolean {
  const folder = dirname(path)
  makeFolder(folder, mode === 0o600 ? 0o700 : 0o755)
  const draft = join(folder, `.${basename(path)}.${randomUUID()}`)
  try {
    createFile(draft, Buffer.from(text), mode)
    syncToDisk(draft)
    if (!putInPlace(draft, path)) return false
    syncToDisk(folder)
    return true
  } finally {
    rmSync(draft, { force: true })
  }
}
