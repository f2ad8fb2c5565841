/** A disk for `place` and `finishPlacing` that dies with its process, or seems to, after so many operations. */
import { type Disk, realDisk } from '../../scripts/config/placing/disk.ts'

/**
 * Calls `die` after the n-th operation; in the middle of it where it creates a file and `torn` is set. Counts from 1.
 * `operations` are those that were carried out: `move <path>`.
 */
export function mortalDisk(
  last: number,
  torn: boolean,
  die: () => never,
  disk: Disk = realDisk,
): Disk & { operations: readonly string[] } {
  const operations: string[] = []
  const mortal = <A extends [string, ...unknown[]]>(
    name: string,
    operation: (...args: A) => void,
    half: (...args: A) => void = operation,
  ) => {
    return (...args: A) => {
      operations.push(`${name} ${args[0]}`)
      const dies = operations.length >= last
      if (dies && torn) half(...args)
      else operation(...args)
      if (dies) die()
    }
  }
  const { makeFolder, create, sync, move, remove } = disk
  return {
    operations,
    makeFolder: mortal('makeFolder', makeFolder),
    create: mortal('create', create, (path, content) => create(path, content.subarray(0, content.length / 2))),
    sync: mortal('sync', sync),
    move: mortal('move', move),
    remove: mortal('remove', remove),
  }
}
