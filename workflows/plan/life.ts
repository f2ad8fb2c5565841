/** In which state of life a node was seen: that decides what can be done to it. */
import type { NodeDeclaration, NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { EtcdObservation, NodeFacts, NodeObservation } from '../model/observation.ts'
import { isInMaintenance } from './is-in-maintenance.ts'
import type { Life } from './plan.ts'

/** Whether a node runs what is installed on it, and is not on its way down: it can be asked to act. */
export const isUp = ({ stage }: Pick<NodeFacts, 'stage'>): boolean => stage === 'running' || stage === 'booting'

/** Undefined where a node is on its way between two of them, or says nothing. */
export function lifeOf(
  node: NodeName,
  seen: NodeObservation | undefined,
  { members }: Pick<EtcdObservation, 'members'>,
): Life | undefined {
  if (isInMaintenance(seen)) return 'maintenance'
  if (!seen?.reachable) return undefined
  if (seen.stage === 'maintenance') return 'maintenance'
  if (seen.stage === 'resetting') return 'reset'
  if (!isUp(seen)) return undefined
  if (seen.stage === 'running' && seen.ready) return 'ready'
  const isKnown =
    seen.role === 'controlplane'
      ? members.some((member) => member.node === node && member.id !== undefined)
      : seen.nodename !== undefined
  return isKnown ? 'bootstrapped' : 'configured'
}

/** Why nothing can be planned for a node: it does not answer, or it is not running an installed system. */
export function unusable({ name: node }: NodeDeclaration, seen: NodeObservation | undefined): Failure | undefined {
  if (!seen) return failure('node-unreachable', { node, detail: 'it was not observed' })
  if (!seen.reachable) return { hint: `talosctl -n ${node} version`, ...seen.failure, node }
  if (!isUp(seen)) {
    return failure('node-not-ready', {
      node,
      detail: `its stage is ${seen.stage}`,
      hint: `talosctl -n ${node} get machinestatus`,
    })
  }
  return undefined
}
