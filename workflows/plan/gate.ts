/**
 * The gate: why a control plane may not be taken down now. The plan asks it of the first one to go, and the step of the same
 * name right before each of them, by the same rules.
 */
import { type Cluster, controlPlanesOf, type NodeDeclaration, type NodeName } from '../model/cluster.ts'
import { type Failure, failure, type Result } from '../model/failure.ts'
import type { EtcdObservation, NodeFacts, Observation } from '../model/observation.ts'
import { type EtcdPolicy, etcdObjections } from './etcd.ts'

type Status = Pick<NodeFacts, 'stage' | 'ready' | 'unmet'>

export type Departure = {
  /** what is to go down */
  node: NodeName
  /** what every other control plane says of itself, or why it says nothing */
  others: Readonly<Record<NodeName, Result<Status>>>
  etcd: EtcdObservation
  policy: EtcdPolicy
}

/** Every reason at once; none where the node may go down. */
export const gateObjections = ({ node, others, etcd, policy }: Departure): Failure[] => [
  ...Object.entries(others).flatMap(([name, status]) => otherObjections(name, status)),
  ...etcdObjections(node, etcd, policy),
]

/** Trouble that ends by itself within seconds of a member's return. */
const PASSING: ReadonlySet<Failure['reason']> = new Set([
  'etcd-member-unhealthy',
  'etcd-member-behind',
  'control-plane-unreachable',
  'control-plane-not-ready',
  'etcd-members-disagree',
  'etcd-unreadable',
  'etcd-quorum',
])

/** Whether there is nothing to wait for: the gate is open, or one of the reasons against it stays. */
export const isDecided = (failures: readonly Failure[]): boolean =>
  failures.length === 0 || failures.some(({ reason }) => !PASSING.has(reason))

function otherObjections(node: NodeName, status: Result<Status>): Failure[] {
  if (status.ok) return controlPlaneObjections(node, status.value)
  const { reason, detail = reason } = status.failure
  // its member counts, while one is listed
  if (reason === 'node-in-maintenance') return []
  return [failure('control-plane-unreachable', { node, detail, hint: `talosctl -n ${node} version` })]
}

/** Why a control plane does not count as up while another one is taken down. */
export function controlPlaneObjections(node: NodeName, { stage, ready, unmet }: Status): Failure[] {
  if (stage === 'running' && ready) return []
  const detail = stage === 'running' ? unmet.join('; ') : `its stage is ${stage}`
  return [failure('control-plane-not-ready', { node, detail, hint: `talosctl -n ${node} services` })]
}

/**
 * The gate as a plan finds it, for the first control plane that is to go down. What only follows from targets that could not
 * be looked at is left out: why they could not is said already, and that is how the run ends.
 */
export function plannedGate(
  node: NodeName,
  cluster: Cluster,
  { nodes, etcd }: Observation,
  { targets, policy }: { targets: readonly NodeDeclaration[]; policy: EtcdPolicy },
): Failure[] {
  const unseen = targets.filter(({ name }) => !nodes[name]?.reachable).map(({ name }) => name)
  const others = controlPlanesOf(cluster)
    .filter(({ name }) => name !== node && !unseen.includes(name))
    .map(({ name }): [NodeName, Result<Status>] => {
      const seen = nodes[name]
      if (seen?.reachable) return [name, { ok: true, value: seen }]
      return [name, { ok: false, failure: seen?.failure ?? failure('node-unreachable') }]
    })
  const gate = { node, others: Object.fromEntries(others), etcd, policy }
  return gateObjections(gate).filter(
    ({ node: of, reason }) =>
      !(of !== undefined && unseen.includes(of)) && !(reason === 'etcd-quorum' && unseen.length > 0),
  )
}
