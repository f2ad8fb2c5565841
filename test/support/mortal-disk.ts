/** A disk for `place` and `settlePlacing` that dies with its process, or seems to, after so many operations. */
import { type Disk, realDisk } from '../../scripts/config/placing/disk.ts'

/** Calls `die` after the n-th operation; in the middle of it where it creates a file and `torn` is set. Counts from 1. */
export function mortalDisk(operations: number, torn: boolean, die: () => never): Disk & { count(): number } {
  let count = 0
  const then = <A extends unknown[]>(operation: (...args: A) => void, half?: (...args: A) => void) => {
    return (...args: A) => {
      count++
      const last = count >= operations
      if (last && torn && half) half(...args)
      else operation(...args)
      if (last) die()
    }
  }
  return {
    makeFolder: then(realDisk.makeFolder),
    create: then(realDisk.create, (path, content) => realDisk.create(path, content.subarray(0, content.length / 2))),
    sync: then(realDisk.sync),
    move: then(realDisk.move),
    remove: then(realDisk.remove),
    count: () => count,
  }
}
