/** After a failure: how the node really stands. */
import type { Diagnosis, NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { judge } from '../../workflows/plan/judge.ts'
import type { StepContext } from '../engine/driver.ts'
import { declaredNode, reading, type World } from './world.ts'

export const diagnose =
  (world: World) =>
  async ({ plan, ...begun }: NodeStepInput, context: StepContext): Promise<Result<Diagnosis>> => {
    const seen = await world.talos.inspect(declaredNode(world, plan.node), reading(world, context))
    return { ok: true, value: judge(plan, begun, seen.ok ? seen.value : undefined) }
  }
