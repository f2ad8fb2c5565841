/**
 * Reboots a node into its next boot entry and returns when it answers with a new boot id; does nothing if it already did.
 * Right before each request it looks at etcd once more, and whether what waits is still what was installed. Where what led to
 * it has expired it asks nothing, and says that the node still runs.
 */
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { bootObjection, runsTarget, waits } from '../../workflows/plan/slot.ts'
import type { Glance } from '../cluster/talos.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { lastLook } from './last-look.ts'
import { otherMachine } from './other-machine.ts'
import { readConfiguration } from './read-configuration.ts'
import { isUp, watchReturn } from './returned.ts'

/** how long a node may go on as before until its request counts as lost; an accepted one shows as a stage at once */
const ACTS_WITHIN_MS = { accepted: 30_000, failed: 5_000 }
const REQUESTS = 3

export const reboot =
  (world: World) =>
  async (input: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const { plan, askedBefore } = input
    const node = declaredNode(world, plan.node)
    const deadline = performance.now() + world.cluster.operations.deadlines.rebootMs
    const inspect = () => world.talos.inspect(node, reading(world, context))
    const first = await inspect()
    const stranger = first.ok ? await otherMachine(world, plan, first.value.bootId, context) : undefined
    if (stranger) return { ok: false, failure: stranger }
    let bootId = plan.bootId
    if (first.ok && first.value.bootId !== bootId) {
      const runs = runsTarget(plan, first.value)
      if (runs || !stillWaits(world, plan, first.value))
        return { ok: true, value: { flippedEarly: !(context.again || askedBefore) && runs } }
      bootId = first.value.bootId
    }
    let seen: Glance | undefined = first.ok ? first.value : undefined
    let told: Result<Inspection> | undefined = first
    let refusal: Failure | undefined
    for (let requests = 0; requests < REQUESTS; ) {
      // our own earlier request may be what makes it silent; whoever is silent is not asked
      if (seen && isUp(seen)) {
        // it may have been another process that was here, and pods may have come back
        if (context.isStale()) return { ok: true, value: { flippedEarly: false, stillUp: true } }
        const configured = await readConfiguration(world, plan, context)
        const changed = configurationObjection(plan.node, configured, installedOn(world, plan, bootId))
        if (changed) return { ok: false, failure: changed }
        told = told?.ok ? told : await inspect()
        if (!told.ok) return told
        // of the first look that was asked already
        const strange = told === first ? undefined : await otherMachine(world, plan, told.value.bootId, context)
        const other = strange ?? bootObjection(plan, told.value)
        if (other) return { ok: false, failure: other }
        told = undefined
        const objection = await lastLook(world, input, context)
        if (context.isStale()) return { ok: true, value: { flippedEarly: false, stillUp: true } }
        if (objection && requests === 0) return { ok: false, failure: objection }
        if (objection) {
          refusal = objection
          break
        }
        requests++
        refusal = await request(world, plan, bootId, context)
        if (refusal?.reason === 'permission-denied') return { ok: false, failure: refusal }
      }
      const { met, glance } = await watchReturn(world, plan.node, context, {
        what: `${plan.node} to answer with a new boot id`,
        until: (now) => now.bootId !== bootId || isUp(now),
        deadlineMs: Math.max(0, deadline - performance.now()),
      })
      if (met && glance?.bootId !== bootId) return { ok: true, value: { flippedEarly: false } }
      if (!met && !glance) {
        const hint = `talosctl -n ${plan.node} version # and look at its console`
        return { ok: false, failure: failure('never-returned', { hint }) }
      }
      if (!met) break
      seen = glance
    }
    const why = refusal?.detail ? `: ${refusal.detail}` : ''
    const detail = `asked, and the node runs on with the boot id that it had${why}`
    return { ok: false, failure: failure('reboot-failed', { detail, hint: `talosctl -n ${plan.node} reboot` }) }
  }

/** Hash of the configuration under which the version that waits was installed: by us, or as the plan read it from the Node. */
const installedOn = ({ installs }: World, plan: NodePlan, bootId: string): string | undefined =>
  installs.configuration(bootId) ?? (bootId === plan.bootId ? plan.installedOn : undefined)

/** Whether what was written under the boot that runs, which is not the planned one, waits for the next: told by the log or not. */
const stillWaits = (world: World, plan: NodePlan, seen: Inspection): boolean =>
  waits(plan.image, seen) || (seen.otherSlot.state === 'unknown' && world.installs.begun(seen.bootId))

/** Asks once and watches whether the node acts: a lost call gives the same error whether the reboot happens or not. */
async function request(
  world: World,
  plan: NodePlan,
  bootId: string,
  context: StepContext,
): Promise<Failure | undefined> {
  const node = declaredNode(world, plan.node)
  const { signal, processFile } = context
  const timeoutMs = world.cluster.operations.deadlines.observeMs
  const call = await world.talos.reboot(node, { signal, processFile, timeoutMs })
  if (!call.ok && call.failure.reason === 'permission-denied') return call.failure
  await watch(context, {
    what: `${plan.node} to act on the request to reboot`,
    look: () => world.talos.glance(node, reading(world, context)),
    until: (glance) => !glance.ok || glance.value.bootId !== bootId || !isUp(glance.value),
    deadlineMs: call.ok ? ACTS_WITHIN_MS.accepted : ACTS_WITHIN_MS.failed,
    everyMs: 200,
  })
  return call.ok ? undefined : call.failure
}
