import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../../workflows/model/cluster.ts'
import type { Layout } from '../declaration/layout.ts'
import { readText } from '../disk/read-text.ts'

/** What gen-config put in place for a cluster: the talosconfig and the configuration of each node that has one. */
export type GeneratedTexts = { talosconfig: string; machineConfigs: Record<string, string> }

/** Undefined where nothing was generated; what is a talosconfig alone did not come from gen-config. */
export function readGenerated(
  { folder, generated, talosconfig }: Layout,
  cluster: Cluster,
): GeneratedTexts | undefined {
  const machineConfigs = Object.fromEntries(
    cluster.nodes.flatMap(({ name }): [string, string][] => {
      const file = join(folder, generated, `${cluster.name}-${name}.yaml`)
      return existsSync(file) ? [[name, readText(file)]] : []
    }),
  )
  if (!existsSync(talosconfig) || Object.keys(machineConfigs).length === 0) return undefined
  return { talosconfig: readText(talosconfig), machineConfigs }
}
