/** Reboots a node into its next boot entry, where that is still the one that is meant. */
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { configurationObjection } from '../../workflows/plan/configuration.ts'
import { installedOn, pendingOf } from '../../workflows/plan/plan.ts'
import { notRebooted, wentBefore } from '../../workflows/plan/return.ts'
import { bootObjection } from '../../workflows/plan/slot.ts'
import { declaredNode, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { askToGoDown } from './ask-to-go-down.ts'
import { wasInstallBegun } from './note-install.ts'

export const reboot =
  (world: World) =>
  (input: NodeStepInput, context: StepContext): Promise<Result<RebootOutput>> => {
    const { plan } = input
    const { before, work } = plan
    const mode = work.kind === 'restart' ? work.mode : 'default'
    const { rebootMs, observeMs } = world.cluster.operations.deadlines
    return askToGoDown(world, input, context, {
      begins: 'act on the request to reboot',
      ends: 'answer with a new boot id',
      withinMs: rebootMs,
      actsWithinMs: { accepted: 30_000, failed: 5_000 },
      repeats: true,
      ended(first) {
        const begunBefore = context.begunBefore || input.askedBefore === true
        const went = wentBefore(plan, first, { begunBefore, begun: world.installs.begun(first.bootId) })
        return went && { ok: true, value: went }
      },
      async prepare(seen) {
        // hash of the configuration under which the version that waits was installed: by us, or as the plan read it from the Node
        const planned = seen.bootId === before.bootId ? installedOn(work) : undefined
        const under = work.kind === 'switch' ? (world.installs.configuration(seen.bootId) ?? planned) : undefined
        const begun = await wasInstallBegun(world, plan, seen, context)
        const objection = bootObjection(plan, seen, { begun })
        if (objection) return { ok: false, failure: objection }
        const node = declaredNode(world, plan.node)
        return {
          ok: true,
          value: {
            call: (options) => world.talos.reboot(node, { ...options, mode, timeoutMs: observeMs }),
            objection: ({ otherSlot, configured }) =>
              configurationObjection(plan.node, configured, { installed: under, pending: pendingOf(work) }) ??
              bootObjection(plan, { otherSlot }, { begun }),
          },
        }
      },
      ranOn: (asked) => notRebooted(plan, asked),
    })
  }
