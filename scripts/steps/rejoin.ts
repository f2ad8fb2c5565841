/** Waits until a node that rebooted is running and ready, and its etcd member votes and has caught up. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { controlPlanesOf, type NodeDeclaration } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import { votes, whyNoVote } from '../../workflows/plan/etcd.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { isAsWell } from '../../workflows/plan/unwell.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const rejoin =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const node = declaredNode(world, plan.node)
    const ready = await untilReady(world, plan, context)
    if (!ready.ok || plan.role === 'worker') return ready
    return untilVoting(world, node, context)
  }

/**
 * Follows the node's own stream of its stage until it is ready, or as well as before the run; where the stream breaks or stays
 * silent, it is opened again.
 */
async function untilReady(world: World, plan: NodePlan, context: StepContext): Promise<Result<void>> {
  const node = declaredNode(world, plan.node)
  const { readyMs } = world.cluster.operations.deadlines
  const deadline = performance.now() + readyMs
  let last = 'no answer yet'
  let isReady = false
  const look = async (): Promise<boolean> => {
    const enough = new AbortController()
    const signal = AbortSignal.any([context.signal, enough.signal])
    await world.talos.watchStage(
      node,
      (status) => {
        last = status.unmet.length > 0 ? `${status.stage}, ${status.unmet.join(', ')}` : status.stage
        isReady = isAsWell(plan.before, status)
        if (isReady) enough.abort()
        else context.waiting(`${node.name} to be running and ready`, last)
      },
      // a stream can go silent without ending (talos#14242), so none is trusted for long
      { signal, timeoutMs: Math.max(1, Math.min(15_000, deadline - performance.now())) },
    )
    return isReady
  }
  const { met } = await watch(context, {
    what: `${node.name} to be running and ready`,
    look,
    until: Boolean,
    say: () => last,
    deadlineMs: readyMs,
    everyMs: 200,
  })
  if (met) return { ok: true, value: undefined }
  return { ok: false, failure: failure('never-ready', { detail: last, hint: `talosctl -n ${node.name} services` }) }
}

async function untilVoting(world: World, node: NodeDeclaration, context: StepContext): Promise<Result<void>> {
  const controlPlanes = controlPlanesOf(world.cluster)
  const { lagBound } = world.cluster.operations.etcd
  const { met, seen } = await watch(context, {
    what: `etcd member of ${node.name} to vote and catch up`,
    look: () => world.talos.etcdStatus(controlPlanes, reading(world, context)),
    until: (etcd) => votes(node.name, etcd, lagBound),
    say: (etcd) => whyNoVote(node.name, etcd),
    deadlineMs: world.cluster.operations.deadlines.etcdMs,
    everyMs: 200,
  })
  if (met) return { ok: true, value: undefined }
  const detail = whyNoVote(node.name, seen)
  return { ok: false, failure: failure('etcd-not-caught-up', { detail, hint: `talosctl -n ${node.name} etcd status` }) }
}
