/** Everything about one node, now. */
import type { NodeName } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { NodeFacts } from '../../workflows/model/observation.ts'
import type { StepContext } from '../engine/driver.ts'
import { declaredNode, reading, type World } from './world.ts'

export async function observeOne(world: World, node: NodeName, context: StepContext): Promise<Result<NodeFacts>> {
  const seen = (await world.talos.observeNodes([declaredNode(world, node)], reading(world, context)))[node]
  if (seen?.reachable) return { ok: true, value: seen }
  return { ok: false, failure: seen?.failure ?? failure('node-unreachable', { node }) }
}
