/** Reads from the node what it runs now; only this makes a node `upgraded`. */
import type { Diagnosis, NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { machineObjection } from '../../workflows/plan/identity.ts'
import { judge, whyNotReached } from '../../workflows/plan/judge.ts'
import { argumentChange } from '../../workflows/plan/kernel-arguments.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

export const verify =
  (world: World) =>
  async ({ plan, ...begun }: NodeStepInput, context: StepContext): Promise<Result<Diagnosis>> => {
    const node = declaredNode(world, plan.node)
    const options = reading(world, context)
    // what waits in its other slot, if anything does, was put there by nobody of ours since it booted
    const [seen, cmdline] = await Promise.all([
      world.talos.inspect(node, { ...options, slot: false }),
      world.talos.kernelCmdline(node, options),
    ])
    if (!seen.ok) return seen
    const why = machineObjection(plan, world.plans, seen.value.bootId) ?? whyNotReached(plan, seen.value)
    if (why) return { ok: false, failure: why }
    const change = argumentChange(plan.before.kernelArguments, cmdline)
    if (change !== undefined) context.notice(change)
    return { ok: true, value: judge(plan, begun, seen.value) }
  }
