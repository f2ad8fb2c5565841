import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { askLab } from './control.ts'
import { isThere } from './is-there.ts'
import { labPaths, readLabConfig, socketPathFor } from './lab-config.ts'
import { endLabProcesses, labProcesses } from './lab-processes.ts'

const stopsWithinMs = 5_000

/**
 * Ends the lab of a cluster and removes what it made: processes, socket, data, secrets, the talosconfig. The log stays.
 * Works as well when the lab's process was killed. Returns whether there was anything to end.
 */
export async function labDown(clusterDir: string): Promise<boolean> {
  const paths = labPaths(clusterDir)
  if (!isThere(paths.stateDir)) return false
  const config = readLabConfig(paths)
  const wasThere = config !== undefined || labProcesses(paths.stateDir).length > 0
  if (config !== undefined) await askLab(config.socketPath, { verb: 'stop' })
  await endLabProcesses(paths.stateDir, config === undefined ? 0 : stopsWithinMs)
  rmSync(config?.socketPath ?? socketPathFor(paths.stateDir), { force: true })
  const talosconfig = join(clusterDir, 'talosconfig')
  if (isLabsOwn(talosconfig, paths.talosconfig)) rmSync(talosconfig)
  for (const name of readdirSync(paths.stateDir)) {
    if (name !== basename(paths.log)) rmSync(join(paths.stateDir, name), { recursive: true, force: true })
  }
  return wasThere
}

/** Whether the cluster's talosconfig is the one that the lab wrote, or none: a real one must survive a lab. */
export function isLabsOwn(talosconfig: string, labsCopy: string): boolean {
  if (!isThere(talosconfig)) return false
  // talosctl itself creates the file without a context when it is asked about one that is missing
  if (/^contexts: \{\}$/m.test(readFileSync(talosconfig, 'utf8'))) return true
  if (!isThere(labsCopy)) return false
  return readFileSync(talosconfig, 'utf8') === readFileSync(labsCopy, 'utf8')
}
