import { isDeepStrictEqual } from 'node:util'
import type { Failure } from '../../workflows/model/failure.ts'
import type { InstallMark } from '../../workflows/model/kubernetes.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import { type NodePlan, switchOf } from '../../workflows/plan/plan.ts'
import { asking, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

/** An installation does not wait for longer than this to be noted where others could read it. */
const PATIENCE_MS = 10_000

export type InstallNote = {
  /** `configuration`: the hash of what the installer will judge, where it could be read. */
  write(boot: Pick<Inspection, 'bootId'>, configuration?: string): Promise<Failure | undefined>
  /** From now on it stays: the call is made. */
  begins(): void
  /** Takes back what was written and did not begin: others would refuse for it what may well be done. */
  close(): Promise<void>
}

/**
 * Writes down that an installation begins, in the journal and, where Kubernetes knows the node, on its Node object, so that
 * another checkout knows it too; once for each boot, however often a step looks again before it begins. Without the journal
 * nothing may begin; without the Node it may, and that is said. From the journal the outcome of the step takes it back.
 */
export function createInstallNote(world: World, plan: NodePlan, context: StepContext): InstallNote {
  const { node, kubernetes } = plan
  let mark: InstallMark | undefined
  let stays = context.begunBefore
  return {
    async write({ bootId }, configuration) {
      if (bootId === mark?.bootId) return undefined
      const known = { bootId, image: switchOf(plan).image, ...(configuration !== undefined && { configuration }) }
      stays ||= world.installs.begun(bootId)
      const unwritten = world.installs.begin({ node, ...known })
      if (unwritten) return unwritten
      mark = { ...known, run: world.run }
      if (kubernetes === undefined) return undefined
      const told = await world.kubernetes.noteInstall(kubernetes.name, mark, patient(world, plan, context))
      if (told.ok) return undefined
      const { reason, detail = reason } = told.failure
      context.notice(
        `its Node does not tell that it is being installed, so only the journals of this folder do: ${detail}`,
      )
      return undefined
    },
    begins() {
      stays = true
    },
    async close() {
      if (mark === undefined || stays) return
      world.installs.takeBack(node, mark.bootId)
      if (kubernetes === undefined) return
      const options = patient(world, plan, context)
      const seen = await world.kubernetes.node(kubernetes.name, options)
      // whoever holds the cluster by now may have written there since
      if (seen.ok && !isDeepStrictEqual(seen.value?.install, mark)) return
      const taken =
        seen.ok && seen.value
          ? await world.kubernetes.takeBackInstall(seen.value, kubernetes.install, options)
          : undefined
      if (!taken?.ok || taken.value === 'conflict')
        context.notice('its Node still tells of an installation that was not begun')
    },
  }
}

/**
 * Whether our journals say that an installation was begun under the boot that runs; or where only that can tell, since the log of
 * machined does not, its Node.
 */
export async function wasInstallBegun(
  world: World,
  plan: NodePlan,
  { bootId, otherSlot }: Pick<Inspection, 'bootId' | 'otherSlot'>,
  context: StepContext,
): Promise<boolean> {
  if (world.installs.begun(bootId)) return true
  if (plan.kubernetes === undefined || otherSlot.state !== 'unknown') return false
  const node = await world.kubernetes.node(plan.kubernetes.name, patient(world, plan, context))
  return node.ok && node.value?.install?.bootId === bootId
}

function patient(world: World, plan: NodePlan, context: StepContext) {
  const options = asking(world, plan, context)
  return { ...options, timeoutMs: Math.min(options.timeoutMs, PATIENCE_MS) }
}
