import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, controlPlanesOf, type TalosVersion } from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import { workflowCommand } from '../cli/workflow-command.ts'
import { withGeneratedSchematics } from '../config/with-generated-schematics.ts'
import type { Layout } from '../declaration/layout.ts'
import { runFolder } from '../engine/run-folder.ts'
import { countStarts, type Starts } from '../engine/starts.ts'
import { createRun, type Run } from '../run.ts'
import { findShell } from '../toolchain/find-shell.ts'
import { findTalosctl } from '../toolchain/find-talosctl.ts'
import { findTool } from '../toolchain/find-tool.ts'
import { checkTalosconfig, readTalosconfig } from '../tools/talosctl/talosconfig.ts'
import { checkKubeconfig } from './check-kubeconfig.ts'
import { knock } from './knock.ts'
import { createKubeconfig } from './kubeconfig.ts'
import { createKubernetes, type Kubernetes } from './kubernetes.ts'
import { createTalos, type Talos } from './talos.ts'

/** What every command that talks to a cluster starts from: the declaration, the tools, the talosconfig, a way to ask. */
export type OpenCluster = {
  cluster: Cluster
  layout: Layout
  talos: Talos
  kubernetes: Kubernetes
  /** which cluster this is, whatever its name: a hash of its CA */
  identity: string
  /** what the talosconfig lets us do */
  roles: readonly string[]
  /** version of the talosctl that is used */
  talosctl: string
  /** argv of every command that changed something, in the order in which they were started */
  changes: readonly (readonly string[])[]
  starts: Readonly<Starts>
}

/** What a cluster is opened for; one that is to bring nodes to Talos `to` wants a talosctl that knows it. */
type Purpose = { changes: boolean; to?: TalosVersion | undefined }

/** Finds the tools and looks at the talosconfig; fails with everything that keeps the cluster from being reached at all. */
export async function openCluster(
  { cluster, layout }: { cluster: Cluster; layout: Layout },
  { changes: isToChange, to }: Purpose,
): Promise<Result<OpenCluster, Failure[]>> {
  const [talosctl, kubectl] = await Promise.all([
    to === undefined ? findTalosctl(cluster.talosVersion, 'read') : findTalosctl(to, 'change'),
    findTool('kubectl'),
  ])
  const { talosconfig } = layout
  const shell = findShell(process.env)
  const failures: Failure[] = shell.ok ? [] : [shell.failure]
  for (const tool of [talosctl, kubectl])
    if (!tool.found) failures.push(failure('tool-missing', { detail: tool.detail, hint: tool.hint }))
  for (const objection of checkTalosconfig(talosconfig, cluster, new Date())) {
    const generates = workflowCommand('gen-config', cluster.id, layout.root)
    const own = join(layout.folder, layout.generated, 'talosconfig')
    if (objection.reason === 'talosconfig-missing') failures.push({ ...objection, hint: generates })
    else if (objection.reason === 'client-certificate-expired' && 'hint' in objection && talosconfig !== own)
      failures.push({
        ...objection,
        hint: `${generates} --renew-talosconfig # makes ${shellWord(own)}, to be taken instead`,
      })
    else failures.push(objection)
  }
  const unfit = isToChange && existsSync(layout.kubeconfig) ? checkKubeconfig(layout.kubeconfig) : undefined
  if (unfit) failures.push(unfit)
  if (failures.length > 0 || !talosctl.found || !kubectl.found) return { ok: false, failure: failures }
  const { starts, count } = countStarts(cluster.name)
  const paths = { talosctl: talosctl.path, kubectl: kubectl.path }
  const start = createRun({ paths, env: process.env, onStart: count })
  const changes: string[][] = []
  const run: Run = (command, options) => {
    if (command.mutates) changes.push([command.tool, ...command.argv])
    return start(command, options)
  }
  const config = readTalosconfig(talosconfig)
  if (!config.ok) return { ok: false, failure: [config.failure] }
  const { endpoints, identity, roles } = config.value
  const controlPlanes = controlPlanesOf(cluster)
  const declared = controlPlanes.map((n) => n.address)
  const talos = createTalos(run, {
    ...{ talosconfig, nodes: cluster.nodes },
    endpoints: endpoints.length > 0 ? endpoints : declared,
  })
  const root = runFolder(layout.folder)
  const kubernetes = createKubernetes(run, {
    kubeconfig: createKubeconfig({
      talos,
      controlPlanes,
      given: layout.kubeconfig,
      runFolder: root,
      timeoutMs: cluster.operations.deadlines.observeMs,
    }),
    servers: declared.map((address) => ({ address, url: apiServer(address) })),
    knocks: ({ address }, signal) => knock({ address, port: API_PORT }, signal),
    cacheDir: join(root, 'kubectl'),
  })
  return {
    ok: true,
    value: {
      cluster: withGeneratedSchematics(cluster, layout),
      layout,
      talos,
      kubernetes,
      identity,
      roles,
      talosctl: talosctl.version,
      changes,
      starts,
    },
  }
}

const API_PORT = 6443

/** The API server of a control plane; its certificate names the address. */
const apiServer = (address: string): string => `https://${address.includes(':') ? `[${address}]` : address}:${API_PORT}`
