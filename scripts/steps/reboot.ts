/** Reboots a node into its next boot entry and returns when it answers with a new boot id; does nothing if it already did. */
import semver from 'semver'
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { watchReturn } from './returned.ts'
import { declaredNode, reading, type World } from './world.ts'

/** how long a node may go on as before until its request counts as lost; an accepted one shows as a stage at once */
const ACTS_WITHIN_MS = 5_000
const REQUESTS = 3

export const reboot =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const node = declaredNode(world, plan.node)
    const first = await world.talos.glance(node, reading(world, context))
    if (first.ok && first.value.bootId !== plan.bootId) {
      // `again`: our own request was heard, though nobody saw it
      return { ok: true, value: { flippedEarly: !context.again && semver.eq(first.value.version, plan.to) } }
    }
    const goingDown = first.ok ? first.value.stage !== 'running' && first.value.stage !== 'booting' : context.again
    if (!goingDown) {
      const refused = await request(world, plan, context)
      if (refused) return { ok: false, failure: refused }
    }
    const { met, glance } = await watchReturn(world, plan.node, context, {
      what: `${plan.node} to answer with a new boot id`,
      until: (seen) => seen.bootId !== plan.bootId,
      deadlineMs: world.cluster.operations.deadlines.rebootMs,
    })
    if (met) return { ok: true, value: { flippedEarly: false } }
    return {
      ok: false,
      failure: glance
        ? failure('reboot-failed', { detail: `still runs with the boot id that it had, stage ${glance.stage}` })
        : failure('never-returned', { hint: `look at its console; then talosctl -n ${plan.node} version` }),
    }
  }

/** Asks until the node acts on it: a lost call gives the same error whether the reboot happens or not. */
async function request(world: World, plan: NodePlan, context: StepContext): Promise<Failure | undefined> {
  const node = declaredNode(world, plan.node)
  const { signal, processFile } = context
  let refusal: Failure | undefined
  for (let asked = 0; asked < REQUESTS; asked++) {
    const call = await world.talos.reboot(node, {
      signal,
      processFile,
      timeoutMs: world.cluster.operations.deadlines.observeMs,
    })
    refusal = call.ok ? undefined : call.failure
    if (refusal?.reason === 'permission-denied') return refusal
    const { met } = await watch({
      what: `${plan.node} to act on the request to reboot`,
      look: () => world.talos.glance(node, reading(world, context)),
      until: (glance) =>
        !glance.ok ||
        glance.value.bootId !== plan.bootId ||
        (glance.value.stage !== 'running' && glance.value.stage !== 'booting'),
      deadlineMs: ACTS_WITHIN_MS,
      everyMs: 200,
      signal,
      waiting: (what, last) => context.waiting(what, last),
    })
    if (met) return undefined
  }
  return failure('reboot-failed', {
    detail: `asked ${REQUESTS} times, and the node runs on as before${refusal?.detail ? `: ${refusal.detail}` : ''}`,
    hint: `talosctl -n ${plan.node} reboot`,
  })
}
