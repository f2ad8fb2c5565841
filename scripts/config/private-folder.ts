import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processIdentity } from '../engine/process-identity.ts'

/** Generated configurations are plain secrets: they lie here until they are in place, and nowhere after. */
export type PrivateFolder = { path: string; remove(): void }

const NAME = /^talos-workflows-config\.(\d+)\./

/**
 * A folder of mode 0700 that only this process knows: in memory where the system has such a place (XDG_RUNTIME_DIR,
 * /dev/shm), else below the temporary folder. Those of processes that were killed are removed on the way.
 */
export function privateFolder(env: NodeJS.ProcessEnv = process.env): PrivateFolder {
  const inMemory = [env.XDG_RUNTIME_DIR, '/dev/shm'].find((path) => path !== undefined && isWritable(path))
  const parent = inMemory ?? tmpdir()
  sweep(parent)
  const path = mkdtempSync(join(parent, `talos-workflows-config.${process.pid}.`))
  const remove = () => rmSync(path, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    path,
    remove() {
      remove()
      process.off('exit', remove)
    },
  }
}

function isWritable(folder: string): boolean {
  try {
    const probe = mkdtempSync(join(folder, 'talos-workflows-probe.'))
    rmSync(probe, { recursive: true })
    return true
  } catch {
    return false
  }
}

/** A folder whose process is gone was left by a kill. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = NAME.exec(name)?.[1]
    if (pid === undefined || Number(pid) === process.pid || processIdentity(Number(pid)) !== undefined) continue
    try {
      if (statSync(join(parent, name)).uid === process.getuid?.()) rmSync(join(parent, name), { recursive: true })
    } catch {
      // another user's, or somebody else was quicker
    }
  }
}
