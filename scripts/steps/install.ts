/**
 * Writes the target into the slot that does not run. At most one install between two boots: whether it happened is read
 * from the node, and what can not be known is not repeated. A running install is never cut off.
 */
import type { InstallOutput, NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import { changedSincePlan } from '../../workflows/plan/compatibility.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import { exitText, isPermanent } from '../../workflows/plan/installer-exit.ts'
import { type NodePlan, switchOf } from '../../workflows/plan/plan.ts'
import { runsTarget, slotObjection, waits } from '../../workflows/plan/slot.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { noteInstall, wasInstallBegun } from './note-install.ts'
import { otherMachine } from './other-machine.ts'
import { readConfiguration } from './read-configuration.ts'

export const install =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<InstallOutput>> => {
    const before = await settled(world, plan, context, (seen) => !seen.ok || isRead(seen.value))
    if (!before.ok) return before
    const facts = before.value
    const other = await otherMachine(world, plan, facts.bootId, context)
    if (other) return { ok: false, failure: other }
    if (holdsTarget(plan, facts)) return { ok: true, value: waiting(plan, facts) }
    const objection = await whyNotNow(world, plan, facts, context)
    if (objection) return { ok: false, failure: objection }
    const configured = await readConfiguration(world, plan, context)
    const pending = configurationObjection(plan.node, configured)
    if (pending) return { ok: false, failure: pending }
    const hash = configured.ok ? configured.value.hash : undefined
    const unwritten = await noteInstall(world, plan, facts, context, hash)
    if (unwritten) return { ok: false, failure: unwritten }
    // all of that took its time: somebody else may have been here
    const objected = await lastLookAtSlot(world, plan, facts, context)
    if (objected) return objected

    const { image } = switchOf(plan)
    context.waiting(`${image} to be installed`)
    const call = await world.talos.install(declaredNode(world, plan.node), image, {
      signal: context.signal,
      timeoutMs: world.cluster.operations.deadlines.installMs,
      processFile: context.processFile,
    })

    // the exit code says how talosctl fared; the node's own log says whether the slot was written
    const after = await settled(world, plan, context, (seen) => seen.ok && isRead(seen.value))
    if (!after.ok) return { ok: false, failure: unseen(plan, after.failure) }
    if (holdsTarget(plan, after.value)) return { ok: true, value: waiting(plan, after.value) }
    const said = call.ok ? 'talosctl ended well' : (call.failure.detail ?? '')
    return { ok: false, failure: whyNotInstalled(plan, facts, after.value, said) }
  }

const logs = (node: string): string => `talosctl -n ${node} logs machined`

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
    if (!ended.met) return { ok: false, failure: failure('install-timed-out', { hint: logs(plan.node) }) }
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

const isRead = ({ otherSlot }: Inspection): boolean => !(otherSlot.state === 'unknown' && otherSlot.why === 'unread')

/** That a node is silent after an installation was begun says nothing about how that ended. */
const unseen = (plan: NodePlan, why: Failure): Failure =>
  why.reason === 'install-timed-out'
    ? why
    : failure('install-unseen', { detail: why.detail ?? why.reason, hint: `${logs(plan.node)} # then run again` })

function holdsTarget(plan: NodePlan, facts: Inspection): boolean {
  const target = switchOf(plan)
  return runsTarget(target, facts) || waits(target.image, facts)
}

const waiting = (plan: NodePlan, { otherSlot }: Inspection): InstallOutput => ({
  image: switchOf(plan).image,
  ...(otherSlot.state === 'installed' && otherSlot.at !== undefined ? { since: otherSlot.at } : {}),
})

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
  const { node } = plan
  const { image } = target
  // that a person asked for one more try was judged by the plan; what a killed process of this run tried is enough
  if (context.again && isRefused(image, facts)) return whyNotInstalled(plan, facts, facts, '')
  const isKnown = facts.otherSlot.state !== 'unknown'
  const begun = context.again || (!isKnown && (await wasInstallBegun(world, plan, facts, context)))
  return slotObjection({ node, facts, image, begun, retry: true })
}

/**
 * The slot once more, right before the call; undefined where it may be written, else how the step ends. A look during which
 * this process slept is none.
 */
async function lastLookAtSlot(
  world: World,
  plan: NodePlan,
  facts: Inspection,
  context: StepContext,
): Promise<Result<InstallOutput> | undefined> {
  for (;;) {
    const sleeps = context.sleeps()
    const last = await settled(world, plan, context, (seen) => !seen.ok || isRead(seen.value))
    if (context.sleeps() !== sleeps) continue
    if (!last.ok) return last
    if (holdsTarget(plan, last.value)) return { ok: true, value: waiting(plan, last.value) }
    const changed = whatChanged(plan, facts, last.value)
    return changed && { ok: false, failure: changed }
  }
}

/** Why an installation that was looked at and written down may not be started any more; undefined where it may. */
function whatChanged(plan: NodePlan, before: Inspection, now: Inspection): Failure | undefined {
  if (now.bootId !== before.bootId)
    return failure('install-failed', {
      detail: 'the node booted right before it was to be installed',
      hint: 'run again',
    })
  // what was written down just now was not begun yet; the first look has judged what was begun before
  return slotObjection({ node: plan.node, facts: now, image: switchOf(plan).image, begun: false, retry: true })
}

const isRefused = (image: string, { otherSlot }: Inspection): boolean =>
  otherSlot.state === 'install-failed' && otherSlot.image === image && isPermanent(otherSlot.exitCode)

/** What became of the installation, where it did not end with the image in the other slot. */
function whyNotInstalled(plan: NodePlan, before: Inspection, { bootId, otherSlot }: Inspection, said: string): Failure {
  const because = (words: string) => (said ? `${words}: ${said}` : words)
  const hint = logs(plan.node)
  if (bootId !== before.bootId)
    return failure('install-failed', { detail: because('the node went down while it was installed'), hint })
  switch (otherSlot.state) {
    case 'install-failed': {
      const reason = isPermanent(otherSlot.exitCode) ? 'installer-refused' : 'install-failed'
      return failure(reason, { detail: because(exitText(otherSlot.exitCode)), hint })
    }
    case 'cut-off':
      return failure('install-failed', { detail: because('the installer was cut off'), hint })
    case 'installed':
      return failure('install-failed', { detail: because(`${otherSlot.image} waits in the other slot`), hint })
    case 'unknown':
      return failure('install-unseen', {
        detail: because('the log of machined does not tell how it ended'),
        hint: `${hint} # then run again`,
      })
    default:
      return failure('install-failed', { detail: because('the node tells of no installation'), hint })
  }
}
