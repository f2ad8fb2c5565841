import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const memory = '/dev/shm'
/** two labs of three control planes, each with its etcd and Kubernetes, take a quarter of it */
const enough = 4 * 2 ** 30

/**
 * A folder in memory, where a sync costs nothing: etcd, journals and the audit log of Kubernetes wait for the disk for more
 * than half of the time of a test. Undefined where there is no room for it, or where no program may be run from there.
 */
export function memoryFolder(): string | undefined {
  if (!existsSync(memory)) return undefined
  const { bavail, bsize } = statfsSync(memory)
  if (bavail * bsize < enough) return undefined
  const folder = mkdtempSync(join(memory, 'tests-'))
  const program = join(folder, 'program')
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
  const { status } = spawnSync(program)
  rmSync(program)
  // as /tmp: some tests are other users as well
  if (status === 0) chmodSync(folder, 0o1777)
  else rmSync(folder, { recursive: true })
  return status === 0 ? folder : undefined
}
