import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file so that whoever reads it, also after a crash, finds the old content or the new one. `mode` holds whatever
 * the umask says. Throws what the disk says.
 */
export function replaceFile(path: string, content: string, mode: number): void {
  const draft = `${path}.${process.pid}.draft`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', mode)
  try {
    const bytes = Buffer.from(content)
    // a disk that fills up takes what fits and complains only at the next write
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    chmodSync(draft, mode)
    fsyncSync(file)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
