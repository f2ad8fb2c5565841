/**
 * Writes the target into the slot that does not run. At most one install between two boots: whether it happened is read
 * from the node, and what can not be known is not repeated. A running install is never cut off.
 */
import type { InstallOutput, NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import { changedSincePlan } from '../../workflows/plan/changed-since-plan.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import {
  changedSinceLook,
  holdsTarget,
  installObjection,
  isRead,
  machinedLog,
  unseen,
  waiting,
  whyNotInstalled,
} from '../../workflows/plan/installation.ts'
import { type NodePlan, switchOf } from '../../workflows/plan/plan.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { createInstallNote, wasInstallBegun } from './note-install.ts'
import { otherMachine } from './other-machine.ts'
import { readConfiguration } from './read-configuration.ts'

export const install =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<InstallOutput>> => {
    const target = switchOf(plan)
    const { facts, ended } = await prepare(world, plan, context)
    if (ended?.ok === false && !context.begunBefore) return { ok: false, failure: { ...ended.failure, unasked: true } }
    if (ended) return ended

    const { image } = target
    context.waiting(`${image} to be installed`)
    const call = await world.talos.install(declaredNode(world, plan.node), image, {
      signal: context.signal,
      timeoutMs: world.cluster.operations.deadlines.installMs,
      processFile: context.processFile,
    })

    // the exit code says how talosctl fared; the node's own log says whether the slot was written
    const after = await settled(world, plan, context, (seen) => seen.ok && isRead(seen.value))
    if (!after.ok) return { ok: false, failure: unseen(plan.node, after.failure) }
    if (holdsTarget(target, after.value)) return { ok: true, value: waiting(target, after.value) }
    const said = call.ok ? 'talosctl ended well' : (call.failure.detail ?? '')
    return { ok: false, failure: whyNotInstalled(plan.node, facts, after.value, said) }
  }

/** All that comes before the call: what the node told, or how the step ends without one. */
async function prepare(
  world: World,
  plan: NodePlan,
  context: StepContext,
): Promise<{ facts: Inspection; ended?: never } | { facts?: never; ended: Result<InstallOutput> }> {
  const target = switchOf(plan)
  const failed = (why: Failure) => ({ ended: { ok: false, failure: why } as const })
  const before = await settled(world, plan, context, (seen) => !seen.ok || isRead(seen.value))
  if (!before.ok) return failed(before.failure)
  const facts = before.value
  const other = await otherMachine(world, plan, facts.bootId, context)
  if (other) return failed(other)
  if (holdsTarget(target, facts)) return { ended: { ok: true, value: waiting(target, facts) } }
  const objection = await whyNotNow(world, plan, facts, context)
  if (objection) return failed(objection)
  const configured = await readConfiguration(world, plan, context)
  const pending = configurationObjection(plan.node, configured)
  if (pending) return failed(pending)
  const hash = configured.ok ? configured.value.hash : undefined
  const note = createInstallNote(world, plan, context)
  return context.mayBegin(async () => {
    const unwritten = await note(facts, hash)
    if (unwritten) return failed(unwritten)
    // all of that took its time: somebody else may have been here
    const ended = await lastLookAtSlot(world, plan, facts, context)
    return ended ? { ended } : { facts }
  })
}

const look = (world: World, plan: NodePlan, context: StepContext) => () =>
  world.talos.inspect(declaredNode(world, plan.node), reading(world, context))

/** The node's facts once no installation runs on it, and `told` says that they are worth something. */
async function settled(
  world: World,
  plan: NodePlan,
  context: StepContext,
  told: (seen: Result<Inspection>) => boolean,
): Promise<Result<Inspection>> {
  const { installMs, observeMs } = world.cluster.operations.deadlines
  for (;;) {
    const ended = await watch(context, {
      what: `the installation that runs on ${plan.node} to end`,
      look: look(world, plan, context),
      until: (facts) => !facts.ok || facts.value.otherSlot.state !== 'installing',
      deadlineMs: installMs,
      everyMs: 500,
    })
    if (!ended.met) return { ok: false, failure: failure('install-timed-out', { hint: machinedLog(plan.node) }) }
    if (told(ended.seen)) return ended.seen
    const { met, seen } = await watch(context, {
      what: `${plan.node} to tell what waits in its other slot`,
      look: look(world, plan, context),
      until: told,
      deadlineMs: observeMs,
      everyMs: 500,
    })
    // what it tells may be that an installation runs
    if (!met) return seen
  }
}

/** Why the installation may not be started, or not once more. */
async function whyNotNow(
  world: World,
  plan: NodePlan,
  facts: Inspection,
  context: StepContext,
): Promise<Failure | undefined> {
  // below 1.13 talosctl would silently fall back to the call that reboots as well
  const target = switchOf(plan)
  const changed = changedSincePlan(plan.before, target, facts.version)
  if (changed) return changed
  const { begunBefore } = context
  const begun = !begunBefore && (await wasInstallBegun(world, plan, facts, context))
  return installObjection(plan.node, target.image, facts, { begunBefore, begun })
}

/** The slot once more, right before the call; undefined where it may be written, else how the step ends. */
async function lastLookAtSlot(
  world: World,
  plan: NodePlan,
  facts: Inspection,
  context: StepContext,
): Promise<Result<InstallOutput> | undefined> {
  const target = switchOf(plan)
  const last = await settled(world, plan, context, (seen) => !seen.ok || isRead(seen.value))
  if (!last.ok) return last
  if (holdsTarget(target, last.value)) return { ok: true, value: waiting(target, last.value) }
  const changed = changedSinceLook(plan.node, target.image, facts, last.value)
  return changed && { ok: false, failure: changed }
}
