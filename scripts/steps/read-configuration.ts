import { failure, type Result } from '../../workflows/model/failure.ts'
import type { Configuration } from '../../workflows/model/observation.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

/** What is known of a node's machine configuration now, right before it is installed or taken down. */
export async function readConfiguration(
  world: World,
  plan: NodePlan,
  context: StepContext,
): Promise<Result<Configuration>> {
  const found = await world.talos.configurations([declaredNode(world, plan.node)], reading(world, context))
  return found[plan.node] ?? { ok: false, failure: failure('garbage-answer', { node: plan.node }) }
}
