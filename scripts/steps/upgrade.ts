/**
 * Below Talos 1.13 one call installs and reboots. Returns when the node answers with a new boot id. Right before each
 * call it looks at etcd once more. Where what led to it has expired it calls nothing, and says that the node still runs.
 */
import semver from 'semver'
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import { controlPlanesOf } from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { changedSincePlan } from '../../workflows/plan/compatibility.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import { etcdObjections, isHealthyVoter } from '../../workflows/plan/etcd.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { slotObjection } from '../../workflows/plan/slot.ts'
import type { Glance } from '../cluster/talos.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { lastLook } from './last-look.ts'
import { noteInstall } from './note-install.ts'
import { otherMachine } from './other-machine.ts'
import { readConfiguration } from './read-configuration.ts'
import { isUp, watchReturn } from './returned.ts'

/** how long a node may go on as before until its request counts as lost; an accepted one shows as a stage at once */
const ACTS_WITHIN_MS = { accepted: 10_000, failed: 2_000 }
const REQUESTS = 3

export const upgrade =
  (world: World) =>
  async (input: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const { plan } = input
    const node = declaredNode(world, plan.node)
    const { installMs, rebootMs } = world.cluster.operations.deadlines
    const deadline = performance.now() + installMs + rebootMs
    const first = await world.talos.glance(node, reading(world, context))
    const other = first.ok ? await otherMachine(world, plan, first.value.bootId, context) : undefined
    if (other) return { ok: false, failure: other }
    const again = context.again || input.askedBefore
    const runsTarget = first.ok && plan.from !== plan.to && semver.eq(first.value.version, plan.to)
    // a boot other than the planned one is of our doing only where the call was written down, which comes before it is made
    const bootId = first.ok ? first.value.bootId : plan.bootId
    const booted = bootId !== plan.bootId && world.installs.requestedBefore(plan.node, bootId)
    if (runsTarget || (booted && again)) return { ok: true, value: { flippedEarly: !again } }
    const changed = first.ok ? changedSincePlan(plan, first.value.version) : undefined
    if (changed) return { ok: false, failure: changed }
    // somebody may have booted the old version since the plan was made: the boot that runs is the one to leave
    const went: Progress = { underWay: false }
    if (first.ok) note(went, first.value, bootId)
    let seen: Glance | undefined = first.ok ? first.value : undefined
    for (let requests = 0; requests < REQUESTS; ) {
      // our own earlier call may be what makes it silent; whoever is silent is not asked
      if (seen && isUp(seen)) {
        // it may have been another process that was here, and pods may have come back
        if (context.isStale()) return { ok: true, value: { flippedEarly: false, stillUp: true } }
        const pending = configurationObjection(plan.node, await readConfiguration(world, plan, context))
        if (pending) return { ok: false, failure: pending }
        const begun = context.again || world.installs.begun(bootId)
        if (requests === 0) {
          const told = await world.talos.inspect(node, reading(world, context))
          if (!told.ok) return told
          const written =
            (await otherMachine(world, plan, told.value.bootId, context)) ??
            slotObjection({ node: plan.node, facts: told.value, image: plan.image, begun, retry: true })
          if (written) return { ok: false, failure: written }
        }
        // before the last look, since Kubernetes may take its time
        const unwritten = await noteInstall(world, plan, { bootId }, context)
        if (unwritten) return { ok: false, failure: unwritten }
        const force = isPair(world) || (went.refusal !== undefined && (await isBroken(world, plan, context)))
        const objection = await lastLook(world, input, context)
        if (context.isStale()) return { ok: true, value: { flippedEarly: false, stillUp: true } }
        if (objection && requests === 0) return { ok: false, failure: objection }
        if (objection) {
          went.refusal = objection
          break
        }
        requests++
        went.refusal = await request(world, plan, { force, bootId, went }, context)
      }
      const { met, glance } = await watchReturn(world, plan.node, context, {
        what: `${plan.node} to install and answer with a new boot id`,
        until: (now) => note(went, now, bootId) || isUp(now),
        deadlineMs: Math.max(0, deadline - performance.now()),
      })
      if (met && glance?.bootId !== bootId) return { ok: true, value: { flippedEarly: false } }
      if (!met) {
        const hint = `talosctl -n ${plan.node} version # and look at its console`
        return { ok: false, failure: failure('never-returned', { hint }) }
      }
      // whether the slot was written before it gave up can not be known, and is not repeated
      if (went.underWay) break
      if (went.refusal && FINAL.has(went.refusal.reason)) return { ok: false, failure: went.refusal }
      seen = glance
    }
    const runsOn = went.underWay ? 'it gave the upgrade up, and runs on as before' : 'asked, and it runs on as before'
    const detail = went.refusal?.detail ? `${runsOn}: ${went.refusal.detail}` : runsOn
    return { ok: false, failure: failure('install-failed', { detail, hint: `talosctl -n ${plan.node} dmesg` }) }
  }

/** Failures of the call after which asking again is no use, or no good: the call that is late goes on, and may yet begin. */
const FINAL: ReadonlySet<Failure['reason']> = new Set(['permission-denied', 'install-timed-out'])

type Progress = { underWay: boolean; refusal?: Failure | undefined }

/** Keeps in mind that the node was seen to act; true when it has left the boot. */
function note(went: Progress, { stage, bootId: now }: Glance, bootId: string): boolean {
  if (now !== bootId) return true
  went.underWay ||= stage !== 'running' && stage !== 'booting'
  return false
}

/** The node itself refuses two members unless forced; the person accepted that outage. */
const isPair = ({ cluster, acceptEtcdOutage }: World): boolean =>
  acceptEtcdOutage && controlPlanesOf(cluster).length === 2

/**
 * Whether only the node's own etcd member is unwell. The node's check of etcd can not pass then (ValidateForUpgrade,
 * internal/pkg/etcd/etcd.go), and the upgrade may be the cure.
 */
async function isBroken(world: World, plan: NodePlan, context: StepContext): Promise<boolean> {
  const { cluster, acceptEtcdOutage: acceptOutage } = world
  const controlPlanes = controlPlanesOf(cluster)
  const { lagBound } = cluster.operations.etcd
  const etcd = await world.talos.observeEtcd(controlPlanes, reading(world, context))
  const own = etcd.members.find((m) => m.node === plan.node)
  const othersBear = etcdObjections(plan.node, etcd, { lagBound, acceptOutage }).length === 0
  return own !== undefined && !isHealthyVoter(own, etcd, lagBound) && othersBear
}

/** Asks once and watches whether the node acts: a lost call gives the same error whether the upgrade happens or not. */
async function request(
  world: World,
  plan: NodePlan,
  { force, bootId, went }: { force: boolean; bootId: string; went: Progress },
  context: StepContext,
): Promise<Failure | undefined> {
  const node = declaredNode(world, plan.node)
  const { signal, processFile } = context
  const timeoutMs = world.cluster.operations.deadlines.installMs
  const call = await world.talos.upgradeLegacy(node, plan.image, { signal, processFile, force, timeoutMs })
  await watch(context, {
    what: `${plan.node} to begin the upgrade`,
    look: () => world.talos.glance(node, reading(world, context)),
    until: (glance) => !glance.ok || note(went, glance.value, bootId) || went.underWay,
    deadlineMs: call.ok ? ACTS_WITHIN_MS.accepted : ACTS_WITHIN_MS.failed,
    everyMs: 200,
  })
  return call.ok ? undefined : call.failure
}
