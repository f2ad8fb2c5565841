import { closeSync, openSync, writeSync } from 'node:fs'
import { named } from './on-disk.ts'

/** A new file, written whole; never in place of another one. Throws what the disk says. */
export function createFile(path: string, content: Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode)
  try {
    // a disk that fills up takes what fits and complains only at the next write
    named(path, () => {
      for (let written = 0; written < content.length; ) written += writeSync(file, content, written)
    })
  } finally {
    closeSync(file)
  }
}
