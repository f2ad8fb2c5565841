import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { createFile } from '../../disk/create-file.ts'
import { syncToDisk } from '../../disk/sync-to-disk.ts'

/** Every operation that placing changes the disk with: what a crash can come between. All throw what the disk says. */
export interface Disk {
  /** A folder that only its owner enters; nothing happens where it is there. */
  makeFolder(path: string): void
  /** A new file that only its owner reads, written whole. */
  create(path: string, content: Uint8Array): void
  /** Returns when the content of a file, or the names in a folder, would survive a power cut. */
  sync(path: string): void
  /** Renames within one file system, over what is there; nothing happens where `from` is gone. */
  move(from: string, to: string): void
  /** A file, or a folder with all that it holds; nothing happens where it is gone. */
  remove(path: string): void
}

/** The disk itself. */
export const realDisk: Disk = {
  makeFolder: (path) => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  create: (path, content) => createFile(path, content, 0o600),
  sync: syncToDisk,
  move(from, to) {
    try {
      renameSync(from, to)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  },
  remove: (path) => rmSync(path, { recursive: true, force: true }),
}
