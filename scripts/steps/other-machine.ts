import type { Failure } from '../../workflows/model/failure.ts'
import { machineObjection } from '../../workflows/plan/identity.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

/**
 * Why nothing may be done to the machine that answers at a node's address in that boot: it is another one. Only where no plan
 * knows the boot is anybody asked, and then all nodes, since one of them may answer at two addresses.
 */
export async function otherMachine(
  world: World,
  plan: NodePlan,
  bootId: string,
  context: StepContext,
): Promise<Failure | undefined> {
  const { cluster, plans, talos } = world
  if (bootId === plan.before.bootId) return undefined
  const objection = machineObjection(plan, plans, bootId)
  if (objection) return objection
  const nodes = await talos.observeNodes(cluster.nodes, reading(world, context))
  return machineObjection(plan, plans, bootId, { cluster, nodes })
}
