/** What every command that talks to a cluster starts from: the declaration, the tools, the talosconfig, a way to ask. */
import { existsSync } from 'node:fs'
import { type Cluster, controlPlanesOf, type NodeDeclaration, type NodeName } from '../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../workflows/model/failure.ts'
import type { Observation } from '../workflows/model/observation.ts'
import { withGeneratedSchematics } from './config/with-generated-schematics.ts'
import type { Layout } from './layout.ts'
import { createRun, type Run } from './run.ts'
import { createTalos, type Talos } from './talos.ts'
import { findTool } from './toolchain/find-tool.ts'
import { checkTalosconfig, readTalosconfig } from './tools/talosctl/talosconfig.ts'
import { workflowCommand } from './workflow-command.ts'

export type Session = {
  cluster: Cluster
  layout: Layout
  talos: Talos
  /** which cluster this is, whatever its name: a hash of its CA */
  identity: string
  /** version of the talosctl that is used */
  talosctl: string
  /** argv of every command that changed something, in the order in which they were started */
  changes: readonly (readonly string[])[]
}

/** Finds the tools and looks at the talosconfig; fails with everything that keeps the cluster from being reached at all. */
export async function openSession({
  cluster,
  layout,
}: {
  cluster: Cluster
  layout: Layout
}): Promise<Result<Session, Failure[]>> {
  const talosctl = await findTool('talosctl')
  const { talosconfig } = layout
  const failures: Failure[] = []
  if (!talosctl.found) failures.push(failure('tool-missing', { detail: talosctl.detail, hint: talosctl.hint }))
  if (!existsSync(talosconfig)) {
    failures.push(
      failure('talosconfig-missing', {
        detail: `there is no ${talosconfig}`,
        hint: workflowCommand('gen-config', cluster.id, layout.root),
      }),
    )
  } else {
    failures.push(...checkTalosconfig(talosconfig, cluster, new Date()))
  }
  if (failures.length > 0 || !talosctl.found) return { ok: false, failure: failures }
  const start = createRun({ paths: { talosctl: talosctl.path }, env: process.env })
  const changes: string[][] = []
  const run: Run = (command, options) => {
    if (command.mutates) changes.push([command.tool, ...command.argv])
    return start(command, options)
  }
  const config = readTalosconfig(talosconfig)
  if (!config.ok) return { ok: false, failure: [config.failure] }
  const { endpoints, identity } = config.value
  const declared = controlPlanesOf(cluster).map((n) => n.address)
  const talos = createTalos(run, { talosconfig, endpoints: endpoints.length > 0 ? endpoints : declared })
  return {
    ok: true,
    value: {
      cluster: withGeneratedSchematics(cluster, layout),
      layout,
      talos,
      identity,
      talosctl: talosctl.version,
      changes,
    },
  }
}

/** Looks at the wished nodes and at every control plane, completely. */
export async function observe(
  { cluster, talos }: Session,
  wished?: readonly NodeName[],
  signal?: AbortSignal,
): Promise<Observation> {
  const at = new Date().toISOString()
  const controlPlanes = controlPlanesOf(cluster)
  const asked = cluster.nodes.filter(
    (n: NodeDeclaration) => n.role === 'controlplane' || !wished || wished.includes(n.name),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, ...(signal && { signal }) }
  const [nodes, etcd] = await Promise.all([
    talos.observeNodes(asked, options),
    talos.observeEtcd(controlPlanes, options),
  ])
  return { at, nodes, etcd }
}
