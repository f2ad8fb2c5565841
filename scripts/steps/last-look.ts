/**
 * The gate's look once more, right before a request that takes a node down: while it was drained and handed leadership
 * over, another control plane may have lost power, or its member. Where leadership came back it is handed over again.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import type { World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { checkEtcd } from './check-etcd.ts'
import { handOverLeadership } from './hand-over-leadership.ts'

/** leadership that comes back more often than this is somebody else's doing */
const HANDOVERS = 3

/** Why the node may not be asked to go down; the failure names the look as its step, since nothing was asked then. */
export async function lastLook(world: World, input: NodeStepInput, context: StepContext): Promise<Failure | undefined> {
  const { node, role } = input.plan
  if (role !== 'controlplane') return undefined
  for (let handovers = 0; ; handovers++) {
    const seen = await checkEtcd(world)(input, context)
    if (!seen.ok) return { ...seen.failure, step: 'check-etcd' }
    if (!seen.value.leads) return undefined
    if (handovers === HANDOVERS) {
      const detail = 'leadership of etcd came back each time that it was handed over'
      const hint = `talosctl -n ${node} etcd status`
      return failure('handover-failed', { step: 'hand-over-leadership', detail, hint })
    }
    const handed = await handOverLeadership(world)(input, context)
    if (!handed.ok) return { ...handed.failure, step: 'hand-over-leadership' }
  }
}
