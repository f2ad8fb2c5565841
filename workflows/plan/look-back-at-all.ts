/** The last look of a run, at all its nodes together: whether they still stand as it left them. */
import type { Cluster, NodeName } from '../model/cluster.ts'
import { failure, type Result } from '../model/failure.ts'
import type { EtcdObservation, NodeObservation } from '../model/observation.ts'
import type { NodeVerdict } from '../model/verdict.ts'
import { votes } from './etcd.ts'
import { machineObjection } from './identity.ts'
import { judgeAtEnd, type Sight, type Stood } from './judge.ts'

/** What was read of all of them at once; `etcd` where it is to be told whether a member votes. */
export type LastSeen = {
  cluster: Cluster
  nodes: Readonly<Record<NodeName, NodeObservation>>
  etcd?: EtcdObservation
}

/** Of a control plane that was left running nobody verified its member. */
export const wasVerifiedVoter = ({ plan, flipped }: Stood): boolean => plan.role === 'controlplane' && flipped

/** How all nodes stand, each of them by what it and the others say. */
export function lookBackAtAll(stood: readonly Stood[], seen: LastSeen): NodeVerdict[] {
  // an address that was refused for it tells nothing of the machine that has it now
  const refused = stood.filter(({ failure: why }) => why?.reason === 'other-node-than-declared')
  const isOwn = (node: NodeName) => !refused.some(({ plan }) => plan.node === node)
  const own = Object.fromEntries(Object.entries(seen.nodes).filter(([node]) => isOwn(node)))
  return stood.map((one) => ({ node: one.plan.node, ...judgeAtEnd(one, sightOf(one, stood, own, seen)) }))
}

function sightOf(
  one: Stood,
  all: readonly Stood[],
  own: LastSeen['nodes'],
  { cluster, nodes, etcd }: LastSeen,
): Result<Sight> {
  const { node } = one.plan
  const seen = nodes[node]
  if (!seen?.reachable) return { ok: false, failure: seen?.failure ?? failure('node-unreachable', { node }) }
  const plans = all.map(({ plan }) => plan)
  const other = machineObjection(one.plan, plans, seen.bootId, { cluster, nodes: { ...own, [node]: seen } })
  if (other) return { ok: false, failure: other }
  if (etcd === undefined || !wasVerifiedVoter(one)) return { ok: true, value: seen }
  return { ok: true, value: { ...seen, votes: votes(node, etcd, cluster.operations.etcd.lagBound) } }
}

/** Those of which something failed only now, which may pass in a moment. */
export const newlyUnwell = (stood: readonly Stood[], now: readonly NodeVerdict[]): NodeVerdict[] =>
  now.filter(({ failure: why }, index) => why !== undefined && stood[index]?.failure === undefined)
