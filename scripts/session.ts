/** What every command that talks to a cluster starts from: the declaration, the tools, the talosconfig, a way to ask. */
import { join } from 'node:path'
import {
  type Cluster,
  controlPlanesOf,
  type NodeDeclaration,
  type NodeName,
  type TalosVersion,
} from '../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../workflows/model/failure.ts'
import type { EvictionTrial, GateTrial, KubernetesObservation } from '../workflows/model/kubernetes.ts'
import type { Observation } from '../workflows/model/observation.ts'
import { modeToJudge } from '../workflows/plan/configuration.ts'
import { evictionSuspects, podName } from '../workflows/plan/drain/forecast.ts'
import { membersAmong } from '../workflows/plan/identity.ts'
import { withGeneratedSchematics } from './config/with-generated-schematics.ts'
import { runFolder } from './engine/run-folder.ts'
import { knock } from './knock.ts'
import { createKubeconfig } from './kubeconfig.ts'
import { createKubernetes, type Kubernetes } from './kubernetes.ts'
import type { Layout } from './layout.ts'
import { createRun, type Run } from './run.ts'
import { createTalos, type Talos } from './talos.ts'
import { findShell } from './toolchain/find-shell.ts'
import { findTalosctl } from './toolchain/find-talosctl.ts'
import { findTool } from './toolchain/find-tool.ts'
import { checkTalosconfig, readTalosconfig } from './tools/talosctl/talosconfig.ts'
import { workflowCommand } from './workflow-command.ts'

export type Session = {
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
}

/**
 * Finds the tools and looks at the talosconfig; fails with everything that keeps the cluster from being reached at all.
 * A session that is to bring nodes to Talos `to` wants a talosctl that knows it; one that only looks takes what is there.
 */
export async function openSession(
  { cluster, layout }: { cluster: Cluster; layout: Layout },
  to?: TalosVersion,
): Promise<Result<Session, Failure[]>> {
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
    const isMissing = objection.reason === 'talosconfig-missing'
    failures.push(
      isMissing ? { ...objection, hint: workflowCommand('gen-config', cluster.id, layout.root) } : objection,
    )
  }
  if (failures.length > 0 || !talosctl.found || !kubectl.found) return { ok: false, failure: failures }
  const start = createRun({ paths: { talosctl: talosctl.path, kubectl: kubectl.path }, env: process.env })
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
    },
  }
}

const API_PORT = 6443

/** The API server of a control plane; its certificate names the address. */
const apiServer = (address: string): string => `https://${address.includes(':') ? `[${address}]` : address}:${API_PORT}`

/** Looks at the wished nodes and at every control plane, declared or real, completely. */
export async function observe(
  { cluster, talos, kubernetes }: Session,
  wished?: readonly NodeName[],
  signal?: AbortSignal,
): Promise<Observation> {
  const at = new Date().toISOString()
  const controlPlanes = controlPlanesOf(cluster)
  const asked = cluster.nodes.filter(
    (n: NodeDeclaration) => n.role === 'controlplane' || !wished || wished.includes(n.name),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, ...(signal && { signal }) }
  const [nodes, etcd, seen] = await Promise.all([
    talos.observeNodes(asked, options),
    talos.observeEtcd(controlPlanes, options),
    observeKubernetes(kubernetes, cluster, options),
  ])
  // a control plane that is declared as a worker was not asked when `wished` leaves it out
  const more = membersAmong(cluster.nodes, etcd, nodes).filter((n) => !asked.includes(n))
  return {
    at,
    nodes: more.length > 0 ? { ...nodes, ...(await talos.observeNodes(more, options)) } : nodes,
    etcd,
    kubernetes: seen,
  }
}

/** The observation with what is known of the machine configurations of the nodes that may be changed, and what Talos `to` says of them. */
export async function withConfigurations(
  { cluster, talos, talosctl }: Session,
  observed: Observation,
  { to, nodes: wished }: { to: TalosVersion; nodes?: readonly NodeName[] },
  signal?: AbortSignal,
): Promise<Observation> {
  const asked = cluster.nodes.filter(
    ({ name }) => observed.nodes[name]?.reachable === true && (!wished || wished.includes(name)),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, ...(signal && { signal }) }
  const modes = Object.fromEntries(
    asked.flatMap(({ name }) => {
      const mode = modeToJudge(observed.nodes[name], to, talosctl)
      return mode === undefined ? [] : [[name, mode]]
    }),
  )
  return { ...observed, configurations: await talos.configurations(asked, { ...options, judge: { to, modes } }) }
}

/** One read of everything, and then a question about each pod whose eviction a budget seems to forbid. */
async function observeKubernetes(
  kubernetes: Kubernetes,
  { operations }: Cluster,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<KubernetesObservation> {
  const [read, ...tried] = await Promise.all([
    kubernetes.read(options),
    ...operations.gates.map((gate) => kubernetes.tryGate(gate, options)),
  ])
  if (!read.ok) return { answers: false, failure: read.failure }
  const gates = tried.map((trial, index): GateTrial => {
    if (trial.ok) return trial.value
    const detail = trial.failure.detail ?? trial.failure.reason
    return { gate: operations.gates[index]?.name ?? '', state: 'wrong', detail }
  })
  const facts = { ...read.value, trials: {}, gates }
  const names = read.value.nodes.map(({ name }) => name)
  const suspects = evictionSuspects(facts, names, operations.drain)
  const trials = await Promise.all(
    suspects.map(async (pod): Promise<[string, EvictionTrial][]> => {
      const trial = await kubernetes.tryEviction(pod, options)
      return trial.ok ? [[podName(pod), trial.value]] : []
    }),
  )
  return { answers: true, ...facts, trials: Object.fromEntries(trials.flat()) }
}
