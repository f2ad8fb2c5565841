/** What every command that talks to a cluster starts from: the declaration, the tools, the talosconfig, a way to ask. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Cluster,
  controlPlanesOf,
  type NodeDeclaration,
  type NodeName,
  type TalosVersion,
} from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { EvictionTrial, GateTrial, KubernetesObservation } from '../../workflows/model/kubernetes.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import { modeToJudge } from '../../workflows/plan/configuration.ts'
import { evictionSuspects, podName } from '../../workflows/plan/drain/forecast.ts'
import { membersAmong, ownNodes } from '../../workflows/plan/identity.ts'
import { rightsWanted } from '../../workflows/plan/missing-access.ts'
import { shellWord } from '../cli/shell-word.ts'
import { workflowCommand } from '../cli/workflow-command.ts'
import { withGeneratedSchematics } from '../config/with-generated-schematics.ts'
import type { Layout } from '../declaration/layout.ts'
import { runFolder } from '../engine/run-folder.ts'
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
  const unfit = to !== undefined && existsSync(layout.kubeconfig) ? checkKubeconfig(layout.kubeconfig) : undefined
  if (unfit) failures.push(unfit)
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

/** Looks at the wished nodes and at every control plane, declared or real, completely; with `drains` also at what they run. */
export async function observe(
  session: Session,
  wished?: readonly NodeName[],
  { signal, drains = true }: { signal?: AbortSignal; drains?: boolean } = {},
): Promise<Observation> {
  const { cluster, talos } = session
  const at = new Date().toISOString()
  const controlPlanes = controlPlanesOf(cluster)
  const asked = cluster.nodes.filter(
    (n: NodeDeclaration) => n.role === 'controlplane' || !wished || wished.includes(n.name),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, signal }
  const [nodes, etcd, seen] = await Promise.all([
    talos.observeNodes(asked, options),
    talos.observeEtcd(controlPlanes, options),
    drains ? observeKubernetes(session, options) : observeKubeNodes(session, options),
  ])
  // a control plane that is declared as a worker was not asked when `wished` leaves it out
  const more = membersAmong(cluster.nodes, etcd, nodes).filter((n) => !asked.includes(n))
  const found = more.length > 0 ? { ...nodes, ...(await talos.observeNodes(more, options)) } : nodes
  const targets = cluster.nodes.filter(({ name }) => !wished || wished.includes(name))
  const kubernetes = seen.answers && drains ? await judged(session, seen, targets, found, options) : seen
  return { at, nodes: found, etcd, kubernetes }
}

/** The observation with what is known of the machine configurations of the nodes that may be changed, and what Talos `release` says of them. */
export async function withConfigurations(
  { cluster, talos, talosctl }: Session,
  observed: Observation,
  { release, nodes: wished }: { release?: TalosVersion | undefined; nodes?: readonly NodeName[] | undefined },
  signal?: AbortSignal,
): Promise<Observation> {
  const asked = cluster.nodes.filter(
    ({ name }) => observed.nodes[name]?.reachable === true && (!wished || wished.includes(name)),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, signal }
  if (release === undefined) return { ...observed, configurations: await talos.configurations(asked, options) }
  const modes = Object.fromEntries(
    asked.flatMap(({ name }) => {
      const mode = modeToJudge(observed.nodes[name], release, talosctl)
      return mode === undefined ? [] : [[name, mode]]
    }),
  )
  return {
    ...observed,
    configurations: await talos.configurations(asked, { ...options, judge: { to: release, modes } }),
  }
}

type Limits = { timeoutMs: number; signal: AbortSignal | undefined }

/** The Node objects alone: all that tells of cordons and readiness. */
async function observeKubeNodes({ kubernetes }: Session, options: Limits): Promise<KubernetesObservation> {
  const nodes = await kubernetes.nodes(options)
  if (!nodes.ok) return { answers: false, failure: nodes.failure }
  const nothing = { pods: [], budgets: [], attachments: [], trials: {}, gates: [], denied: [] }
  return { answers: true, nodes: nodes.value, ...nothing }
}

/** One read of everything, and a look at each gate. */
async function observeKubernetes(
  { kubernetes, cluster: { operations } }: Session,
  options: Limits,
): Promise<KubernetesObservation> {
  const [read, ...tried] = await Promise.all([
    kubernetes.read(options),
    ...operations.gates.map((gate) => kubernetes.tryGate(gate, options)),
  ])
  if (!read.ok) return { answers: false, failure: read.failure }
  // whose cordon a mark stands beside is asked only where there is one
  const isMarked = read.value.nodes.some(({ staleMark }) => staleMark?.beside === 'unknown-cordon')
  const nodes = isMarked ? await kubernetes.nodes(options) : undefined
  if (nodes?.ok === false) return { answers: false, failure: nodes.failure }
  const facts = { ...read.value, nodes: nodes?.value ?? read.value.nodes }
  const gates = tried.map((trial, index): GateTrial => {
    if (trial.ok) return trial.value
    const { manifest, detail = trial.failure.reason } = trial.failure
    const gate = operations.gates[index]?.name ?? ''
    return { gate, state: 'wrong', detail, ...(manifest === undefined ? {} : { manifest }) }
  })
  return { answers: true, ...facts, trials: {}, gates, denied: [] }
}

/**
 * With what only the API server knows: what it says of evictions that a budget seems to forbid, on the nodes that may be
 * changed, one question for all pods of which it decides alike; what the person's own kubeconfig may not do; and where pods
 * are ending, what time it is there.
 */
async function judged(
  { kubernetes, cluster: { operations }, layout }: Session,
  facts: KubernetesObservation & { answers: true },
  targets: readonly NodeDeclaration[],
  nodes: Observation['nodes'],
  options: Limits,
): Promise<KubernetesObservation> {
  const names = targets.flatMap((declared) => {
    const seen = nodes[declared.name]
    return ownNodes(declared, seen?.reachable ? seen : undefined, facts.nodes).node?.name ?? []
  })
  // what talosctl makes is an administrator's
  const rights = existsSync(layout.kubeconfig) ? rightsWanted(operations) : []
  const isAsked = rights.length > 0 || facts.pods.some((pod) => pod.terminating && names.includes(pod.node ?? ''))
  const [reviewed, ...trials] = await Promise.all([
    isAsked ? kubernetes.review(rights, options) : undefined,
    ...evictionSuspects(facts, names, operations.drain).map(async (alike): Promise<[string, EvictionTrial][]> => {
      const trial = await kubernetes.tryEviction(alike[0], options)
      return trial.ok ? alike.map((pod) => [podName(pod), trial.value]) : []
    }),
  ])
  // an API that can not tell leaves it to the steps
  return { ...facts, trials: Object.fromEntries(trials.flat()), ...(reviewed?.ok ? reviewed.value : {}) }
}
