/** After a failure: how the node really stands. */
import type { Diagnosis, NodeStepInput } from '../../workflows/machines/node.ts'
import { controlPlanesOf } from '../../workflows/model/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { votes } from '../../workflows/plan/etcd.ts'
import { isReached, judge } from '../../workflows/plan/judge.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { otherMachine } from './other-machine.ts'

export const diagnose =
  (world: World) =>
  async ({ plan, ...begun }: NodeStepInput, context: StepContext): Promise<Result<Diagnosis>> => {
    const seen = await world.talos.inspect(declaredNode(world, plan.node), reading(world, context))
    const other = seen.ok ? await otherMachine(world, plan, seen.value.bootId, context) : undefined
    const judged = judge(plan, begun, seen.ok && !other ? seen.value : undefined)
    if (!seen.ok || plan.role === 'worker' || !isReached(plan.work, judged.verdict)) return { ok: true, value: judged }
    // a control plane is not well while its member does not vote
    const etcd = await world.talos.observeEtcd(controlPlanesOf(world.cluster), reading(world, context))
    const { lagBound } = world.cluster.operations.etcd
    const sight = { ...seen.value, votes: votes(plan.node, etcd, lagBound) }
    return { ok: true, value: judge(plan, begun, sight) }
  }
