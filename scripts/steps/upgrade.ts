/** Below Talos 1.13 one call installs and reboots. Returns when the node answers with a new boot id. */
import semver from 'semver'
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { StepContext } from '../engine/driver.ts'
import type { Glance } from '../talos.ts'
import { watch } from '../watch.ts'
import { watchReturn } from './returned.ts'
import { declaredNode, reading, type World } from './world.ts'

/** the node shows the stage `upgrading` as soon as it has accepted the call */
const ACTS_WITHIN_MS = 10_000

export const upgrade =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const node = declaredNode(world, plan.node)
    const { deadlines } = world.cluster.operations
    const { signal, processFile } = context
    const first = await world.talos.glance(node, reading(world, context))
    // a change of the schematic alone shows in the boot id only
    const runsTarget = first.ok && plan.from !== plan.to && semver.eq(first.value.version, plan.to)
    if (runsTarget || (first.ok && first.value.bootId !== plan.bootId && context.again)) {
      return { ok: true, value: { flippedEarly: !context.again } }
    }
    // somebody booted the old version since the plan was made: that boot is the one to leave
    const bootId = first.ok ? first.value.bootId : plan.bootId
    const underWay = (glance: Glance) =>
      glance.bootId !== bootId || (glance.stage !== 'running' && glance.stage !== 'booting')
    const begun = first.ok ? underWay(first.value) : context.again
    if (!begun) {
      // the node itself refuses two members unless forced; the person accepted that outage
      const force = world.acceptEtcdOutage && world.cluster.nodes.filter((n) => n.role === 'controlplane').length === 2
      const call = await world.talos.upgradeLegacy(node, plan.image, {
        signal,
        processFile,
        force,
        timeoutMs: deadlines.installMs,
      })
      const { met } = await watch({
        what: `${plan.node} to begin the upgrade`,
        look: () => world.talos.glance(node, reading(world, context)),
        until: (glance) => !glance.ok || underWay(glance.value),
        deadlineMs: call.ok ? ACTS_WITHIN_MS : ACTS_WITHIN_MS / 5,
        everyMs: 200,
        signal,
        waiting: (what, last) => context.waiting(what, last),
      })
      if (!met) {
        return {
          ok: false,
          failure: call.ok
            ? failure('install-failed', {
                detail: 'the node accepted the call and went on as before',
                hint: `talosctl -n ${plan.node} dmesg`,
              })
            : call.failure,
        }
      }
    }
    const { met, glance } = await watchReturn(world, plan.node, context, {
      what: `${plan.node} to install and answer with a new boot id`,
      // back to running with the old boot id: the node gave the upgrade up
      until: (seen) => seen.bootId !== bootId || seen.stage === 'running',
      deadlineMs: deadlines.installMs + deadlines.rebootMs,
    })
    if (!met)
      return {
        ok: false,
        failure: failure('never-returned', { hint: `look at its console; then talosctl -n ${plan.node} version` }),
      }
    if (glance?.bootId !== bootId) return { ok: true, value: { flippedEarly: false } }
    return {
      ok: false,
      failure: failure('install-failed', {
        detail: 'the node gave the upgrade up and runs on as before',
        hint: `talosctl -n ${plan.node} dmesg`,
      }),
    }
  }
