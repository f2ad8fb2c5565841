/** Moves etcd's leadership away from a node before it goes down, so that nobody has to notice its absence first. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import { leads } from '../../workflows/plan/etcd.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const handOverLeadership =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const self = declaredNode(world, plan.node)
    const stillLeads = async (): Promise<boolean> =>
      // the gate has just heard of it
      leads(
        plan.node,
        await world.talos.etcdStatus([self], { ...reading(world, context), known: { [plan.node]: 'runs' } }),
      )
    if (!(await context.mayBegin(stillLeads))) return { ok: true, value: undefined }
    const { signal, processFile } = context
    const call = await world.talos.forfeitLeadership(self, {
      signal,
      processFile,
      timeoutMs: world.cluster.operations.deadlines.observeMs,
    })
    const { met } = await watch(context, {
      what: `${plan.node} to lead etcd no more`,
      look: stillLeads,
      until: (still) => !still,
      deadlineMs: call.ok ? world.cluster.operations.deadlines.observeMs : 0,
      everyMs: 200,
    })
    if (met) return { ok: true, value: undefined }
    return {
      ok: false,
      failure: failure('handover-failed', {
        detail: call.ok ? 'it still leads' : (call.failure.detail ?? ''),
        hint: `talosctl -n ${plan.node} etcd status`,
      }),
    }
  }
