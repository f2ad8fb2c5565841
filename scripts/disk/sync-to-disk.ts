import { closeSync, fsyncSync, openSync } from 'node:fs'
import { named } from './on-disk.ts'

/** Returns when the content of a file, or the names in a folder, would survive a power cut. Throws what the disk says. */
export function syncToDisk(path: string): void {
  const file = openSync(path, 'r')
  try {
    named(path, () => fsyncSync(file))
  } finally {
    closeSync(file)
  }
}
