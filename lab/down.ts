import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { askLab } from './control.ts'
import { labPaths, readLabConfig, socketPathFor } from './lab-config.ts'
import { killLabProcesses, labProcesses } from './lab-processes.ts'

/**
 * Ends the lab of a cluster and removes what it made: processes, socket, data, secrets, the talosconfig. The log stays.
 * Works as well when the lab's process was killed. Returns whether there was anything to end.
 */
export async function labDown(clusterDir: string): Promise<boolean> {
  const paths = labPaths(clusterDir)
  if (!existsSync(paths.stateDir)) return false
  const config = readLabConfig(paths)
  if (config !== undefined) {
    await askLab(config.socketPath, { verb: 'stop' })
    const end = performance.now() + 5000
    while (labProcesses(paths.stateDir).length > 0 && performance.now() < end) await setTimeout(20)
  }
  const wasThere = config !== undefined || labProcesses(paths.stateDir).length > 0
  await killLabProcesses(paths.stateDir)
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
  if (!existsSync(talosconfig)) return false
  // talosctl itself creates the file without a context when it is asked about one that is missing
  if (/^contexts: \{\}$/m.test(readFileSync(talosconfig, 'utf8'))) return true
  if (!existsSync(labsCopy)) return false
  return readFileSync(talosconfig, 'utf8') === readFileSync(labsCopy, 'utf8')
}
