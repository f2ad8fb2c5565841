/** What is seen of a cluster before a plan is made, and what a plan for a release needs besides. */
import { existsSync } from 'node:fs'
import {
  controlPlanesOf,
  type NodeDeclaration,
  type NodeName,
  type TalosVersion,
} from '../../workflows/model/cluster.ts'
import type { EvictionTrial, GateTrial, KubernetesObservation } from '../../workflows/model/kubernetes.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import { modeToJudge } from '../../workflows/plan/configuration.ts'
import { evictionSuspects, podName } from '../../workflows/plan/drain/forecast.ts'
import { membersAmong, ownNodes } from '../../workflows/plan/identity.ts'
import { rightsWanted } from '../../workflows/plan/missing-access.ts'
import { allThatIsDenied } from './all-that-is-denied.ts'
import type { OpenCluster } from './open-cluster.ts'

/** Looks at the wished nodes and at every control plane, declared or real, completely; with `drains` also at what they run. */
export async function observe(
  open: OpenCluster,
  wished?: readonly NodeName[],
  { signal, drains = true }: { signal?: AbortSignal; drains?: boolean } = {},
): Promise<Observation> {
  const { cluster, talos } = open
  const at = new Date().toISOString()
  const controlPlanes = controlPlanesOf(cluster)
  const asked = cluster.nodes.filter(
    (n: NodeDeclaration) => n.role === 'controlplane' || !wished || wished.includes(n.name),
  )
  const options = { timeoutMs: cluster.operations.deadlines.observeMs, signal }
  const [nodes, etcd, seen] = await Promise.all([
    talos.observeNodes(asked, options),
    talos.observeEtcd(controlPlanes, options),
    drains ? observeKubernetes(open, options) : observeKubeNodes(open, options),
  ])
  // a control plane that is declared as a worker was not asked when `wished` leaves it out
  const more = membersAmong(cluster.nodes, etcd, nodes).filter((n) => !asked.includes(n))
  const found = more.length > 0 ? { ...nodes, ...(await talos.observeNodes(more, options)) } : nodes
  const targets = cluster.nodes.filter(({ name }) => !wished || wished.includes(name))
  const kubernetes = drains ? await judgedOrDenied(open, seen, targets, found, options) : seen
  return { at, nodes: found, etcd, kubernetes }
}

/** The observation with what is known of the machine configurations of the nodes that may be changed, and what Talos `release` says of them. */
export async function withConfigurations(
  { cluster, talos, talosctl }: OpenCluster,
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
async function observeKubeNodes({ kubernetes }: OpenCluster, options: Limits): Promise<KubernetesObservation> {
  const nodes = await kubernetes.nodes(options)
  if (!nodes.ok) return { answers: false, failure: nodes.failure }
  const nothing = { pods: [], budgets: [], attachments: [], trials: {}, gates: [], denied: [] }
  return { answers: true, nodes: nodes.value, ...nothing }
}

/** One read of everything, and a look at each gate. */
async function observeKubernetes(
  { kubernetes, cluster: { operations } }: OpenCluster,
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

/** Where something was denied, all that is. */
async function judgedOrDenied(
  open: OpenCluster,
  seen: KubernetesObservation,
  targets: readonly NodeDeclaration[],
  nodes: Observation['nodes'],
  options: Limits,
): Promise<KubernetesObservation> {
  if (seen.answers) return judged(open, seen, targets, nodes, options)
  return { answers: false, failure: await allThatIsDenied(open, seen.failure, options.signal) }
}

/**
 * With what only the API server knows: what it says of evictions that a budget seems to forbid, on the nodes that may be
 * changed, one question for all pods of which it decides alike; what the person's own kubeconfig may not do; and where pods
 * are ending, what time it is there.
 */
async function judged(
  { kubernetes, cluster: { operations }, layout }: OpenCluster,
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
