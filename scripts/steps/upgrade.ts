/** Below Talos 1.13 one call installs and reboots. What it may have written is not written once more. */
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import { controlPlanesOf } from '../../workflows/model/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { changedSincePlan } from '../../workflows/plan/changed-since-plan.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import { mayBeForced } from '../../workflows/plan/etcd.ts'
import { switchOf } from '../../workflows/plan/plan.ts'
import { notReplaced, wentByItself } from '../../workflows/plan/return.ts'
import { slotObjection } from '../../workflows/plan/slot.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { askToGoDown, type NextBoot } from './ask-to-go-down.ts'
import { createInstallNote, wasInstallBegun } from './note-install.ts'
import { readConfiguration } from './read-configuration.ts'

export const upgrade =
  (world: World) =>
  (input: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const { plan } = input
    const { node } = plan
    const target = switchOf(plan)
    const { image } = target
    const note = createInstallNote(world, plan, context)
    const { installMs, rebootMs } = world.cluster.operations.deadlines
    return askToGoDown(world, input, context, {
      begins: 'begin the upgrade',
      ends: 'install and answer with a new boot id',
      withinMs: installMs + rebootMs,
      actsWithinMs: { accepted: 10_000, failed: 2_000 },
      repeats: false,
      ended(first) {
        const begunBefore = context.begunBefore || input.askedBefore === true
        const requested = world.installs.requestedBefore(node, first.bootId)
        const went = wentByItself(plan, first, { begunBefore, requested })
        if (went) return { ok: true, value: went }
        const changed = changedSincePlan(plan.before, target, first.version)
        return changed && { ok: false, failure: changed }
      },
      async prepare(seen, { requests, refusal }) {
        const { bootId, otherSlot } = seen
        // that a call of this very step was lost has been seen
        const begun = requests === 0 && (context.begunBefore || (await wasInstallBegun(world, plan, seen, context)))
        const objection = ({ otherSlot: slot, configured }: NextBoot) =>
          configurationObjection(node, configured) ??
          slotObjection({ node, facts: { bootId, otherSlot: slot }, image, begun, retry: true })
        // nothing is noted that is not begun
        const objected = objection({ otherSlot, configured: await readConfiguration(world, plan, context) })
        if (objected) return { ok: false, failure: objected }
        // before the last looks, since Kubernetes may take its time
        const unwritten = await note(seen)
        if (unwritten) return { ok: false, failure: unwritten }
        const force = await isForced(world, node, refusal !== undefined, context)
        const declared = declaredNode(world, node)
        return {
          ok: true,
          value: {
            call: (options) => world.talos.upgradeLegacy(declared, image, { ...options, force, timeoutMs: installMs }),
            objection,
          },
        }
      },
      ranOn: (asked) => notReplaced(plan, asked),
    })
  }

/** Whether the node's own check of etcd is to be skipped; etcd is asked only where that may be. */
async function isForced(world: World, node: string, wasRefused: boolean, context: StepContext): Promise<boolean> {
  const { cluster, acceptEtcdOutage: acceptOutage } = world
  const controlPlanes = controlPlanesOf(cluster)
  if (!(acceptOutage && controlPlanes.length > 1) && !wasRefused) return false
  const etcd = await world.talos.observeEtcd(controlPlanes, reading(world, context))
  return mayBeForced(node, etcd, { lagBound: cluster.operations.etcd.lagBound, acceptOutage }, wasRefused)
}
