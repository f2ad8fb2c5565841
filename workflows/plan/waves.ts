/** The order among nodes: who goes first, who may be down beside whom, and what a failure means for those who wait. */
import type { Cluster, NodeName, Role } from '../model/cluster.ts'
import type { Failure } from '../model/failure.ts'
import type { Observation } from '../model/observation.ts'
import { type EtcdPolicy, isHealthyVoter } from './etcd.ts'
import { controlPlaneObjections } from './gate.ts'
import type { NodePlan, Policy, Wave } from './plan.ts'

/**
 * A canary first, then control planes with the etcd leader last, then workers. A broken control plane goes before everything:
 * what is done to it may be the cure.
 */
export function inOrder(working: readonly NodePlan[], observed: Observation, policy: EtcdPolicy): NodePlan[] {
  const members = new Map(observed.etcd.members.map((m) => [m.node, m]))
  const workers = working.filter((n) => n.role === 'worker')
  const controlPlanes = working.filter((n) => n.role === 'controlplane')
  const isBroken = (n: NodePlan): boolean => {
    const member = members.get(n.node)
    const seen = observed.nodes[n.node]
    const isUp = seen?.reachable === true && controlPlaneObjections(n.node, seen).length === 0
    return !isUp || member === undefined || !isHealthyVoter(member, observed.etcd, policy.lagBound)
  }
  const broken = controlPlanes.filter(isBroken)
  const sound = controlPlanes.filter((n) => !isBroken(n))
  const followers = sound.filter((n) => !members.get(n.node)?.leader)
  const leaders = sound.filter((n) => members.get(n.node)?.leader)
  const [canaryWorker, ...otherWorkers] = workers
  if (broken.length > 0) return [...broken, ...followers, ...leaders, ...workers]
  if (canaryWorker) return [canaryWorker, ...followers, ...leaders, ...otherWorkers]
  const canary = followers.at(-1) ?? leaders.at(-1)
  return [...(canary ? [canary] : []), ...[...followers, ...leaders].filter((n) => n !== canary)]
}

/** A share is of all declared workers, rounded down, and never less than one. */
export function workersAtOnce({ operations: { upgrade }, nodes }: Cluster): number {
  const { maxUnavailable } = upgrade
  if (typeof maxUnavailable === 'number') return maxUnavailable
  const workers = nodes.filter(({ role }) => role === 'worker').length
  return Math.max(1, Math.floor((workers * Number.parseInt(maxUnavailable, 10)) / 100))
}

/** Those in which somebody does something. */
export const waves = (...all: readonly Wave[]): Wave[] => all.filter(({ nodes }) => nodes.length > 0)

/** Who is there when the next one is to be chosen. */
export type Company = {
  policy: Pick<Policy, 'workersAtOnce' | 'workersBesideControlPlanes'>
  /** in their order */
  waiting: readonly NodeName[]
  running: readonly NodeName[]
  roleOf(node: NodeName): Role
  /** a control plane was taken down and did not come back well */
  lostControlPlane: boolean
}

/**
 * The node that may go down next. Control planes go alone, in their order, and none after one that was lost, whoever asks;
 * workers side by side as far as the policy allows, and beside a control plane only where it says so.
 */
export function nextToGoDown({ policy, waiting, running, roleOf, lostControlPlane }: Company): NodeName | undefined {
  const beside = policy.workersBesideControlPlanes
  const isWorker = (node: NodeName): boolean => roleOf(node) === 'worker'
  const workersDown = running.filter(isWorker).length
  const controlPlaneDown = workersDown < running.length
  const mayGo = (node: NodeName): boolean =>
    isWorker(node)
      ? workersDown < policy.workersAtOnce && (beside || !controlPlaneDown)
      : !controlPlaneDown && (beside || running.length === 0)
  const candidates = lostControlPlane ? waiting.filter(isWorker) : waiting
  // whoever stands behind somebody who has to wait overtakes only where workers and control planes go side by side
  return beside ? candidates.find(mayGo) : candidates.slice(0, 1).find(mayGo)
}

/** Whether nothing more is started after that failure. */
export function endsTheRun({ keepGoing, passOverBlocked }: Policy, { reason }: Failure): boolean {
  if (reason === 'bug') return true
  const isBlocked = reason === 'drain-blocked' || reason === 'volumes-attached'
  return !(keepGoing || (passOverBlocked && isBlocked))
}
