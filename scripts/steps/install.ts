/**
 * Writes the target into the slot that does not run. At most one install between two boots: whether it happened is read
 * from the node, and what can not be known is not repeated. A running install is never cut off.
 */
import semver from 'semver'
import type { InstallOutput, NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { declaredNode, reading, type World } from './world.ts'

export const install =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<InstallOutput>> => {
    const before = await settled(world, plan, context)
    if (!before.ok) return before
    const known = whetherInstalled(plan, before.value, context.again)
    if (known) return known

    const { installMs } = world.cluster.operations.deadlines
    context.waiting(`${plan.image} to be installed`)
    const { signal, processFile } = context
    const call = await world.talos.install(declaredNode(world, plan.node), plan.image, {
      signal,
      timeoutMs: installMs,
      processFile,
    })

    // the exit code says how talosctl fared; the node's own log says whether the slot was written
    const after = await settled(world, plan, context)
    if (!after.ok) return after
    if (holdsTarget(plan, after.value)) return { ok: true, value: waiting(plan, after.value) }
    const said = call.ok ? 'talosctl ended well, and the node tells of no installation' : (call.failure.detail ?? '')
    return {
      ok: false,
      failure: failure('install-failed', {
        detail: whyNot(after.value, said),
        hint: `talosctl -n ${plan.node} logs machined`,
      }),
    }
  }

/** The node's facts once no installation runs on it. */
async function settled(world: World, plan: NodePlan, context: StepContext): Promise<Result<Inspection>> {
  const { met, seen } = await watch(context, {
    what: `the installation that runs on ${plan.node} to end`,
    look: () => world.talos.inspect(declaredNode(world, plan.node), reading(world, context)),
    until: (facts) => !facts.ok || facts.value.otherSlot.state !== 'installing',
    deadlineMs: world.cluster.operations.deadlines.installMs,
    everyMs: 500,
  })
  return met
    ? seen
    : { ok: false, failure: failure('install-timed-out', { hint: `talosctl -n ${plan.node} logs machined` }) }
}

const holdsTarget = (plan: NodePlan, facts: Inspection): boolean =>
  (semver.eq(facts.version, plan.to) && facts.schematic === plan.schematic) ||
  (facts.otherSlot.state === 'installed' && facts.otherSlot.image === plan.image)

const waiting = ({ image }: NodePlan, { otherSlot }: Inspection): InstallOutput => ({
  image,
  ...(otherSlot.state === 'installed' && otherSlot.at !== undefined ? { since: otherSlot.at } : {}),
})

/** A result where nothing may or need be installed; undefined where the installation is to be started. */
function whetherInstalled(plan: NodePlan, facts: Inspection, again: boolean): Result<InstallOutput> | undefined {
  if (holdsTarget(plan, facts)) return { ok: true, value: waiting(plan, facts) }
  const refuse = (failed: Failure): Result<InstallOutput> => ({ ok: false, failure: failed })
  const reboot = `talosctl -n ${plan.node} reboot`
  if (semver.lt(facts.version, '1.13.0')) {
    // below 1.13 talosctl would silently fall back to the call that reboots as well
    return refuse(
      failure('wrong-version', { detail: `runs ${facts.version}, where an install can not wait for its reboot` }),
    )
  }
  switch (facts.otherSlot.state) {
    case 'installed':
      return refuse(
        failure('other-version-waiting', {
          detail: `${facts.otherSlot.image} waits for the next reboot`,
          hint: reboot,
        }),
      )
    case 'cut-off':
      return refuse(
        failure('install-unknown', {
          detail: `the installation of ${facts.otherSlot.image} was cut off`,
          hint: reboot,
        }),
      )
    case 'unknown':
      if (!again) return undefined
      return refuse(
        failure('install-unknown', {
          detail: 'it was begun before, and the log of machined no longer tells how it ended',
          hint: reboot,
        }),
      )
    default:
      return undefined
  }
}

function whyNot(facts: Inspection, said: string): string {
  const { otherSlot } = facts
  const ended =
    otherSlot.state === 'install-failed'
      ? `the installer ended with ${otherSlot.exitCode ?? 'an error'}`
      : otherSlot.state
  return said ? `${ended}: ${said}` : ended
}
