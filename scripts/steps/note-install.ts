import type { Failure } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import { type NodePlan, switchOf } from '../../workflows/plan/plan.ts'
import { asking, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

/** An installation does not wait for longer than this to be noted where others could read it. */
const PATIENCE_MS = 10_000

/** Told of the boot that runs; `configuration` is the hash of what the installer will judge, where it could be read. */
export type InstallNote = (boot: Pick<Inspection, 'bootId'>, configuration?: string) => Promise<Failure | undefined>

/**
 * Writes down that an installation begins, in the journal and, where Kubernetes knows the node, on its Node object, so that
 * another checkout knows it too; once for each boot, however often a step looks again before it begins. Without the journal
 * nothing may begin; without the Node it may, and that is said.
 */
export function createInstallNote(world: World, plan: NodePlan, context: StepContext): InstallNote {
  let noted: string | undefined
  return async ({ bootId }, configuration) => {
    if (bootId === noted) return undefined
    const known = configuration === undefined ? {} : { configuration }
    const unwritten = world.installs.begin({ node: plan.node, bootId, image: switchOf(plan).image, ...known })
    if (unwritten) return unwritten
    noted = bootId
    if (plan.kubernetes === undefined) return undefined
    const mark = { bootId, image: switchOf(plan).image, run: world.run, ...known }
    const told = await world.kubernetes.noteInstall(plan.kubernetes.name, mark, patient(world, plan, context))
    if (told.ok) return undefined
    const { reason, detail = reason } = told.failure
    context.notice(
      `its Node does not tell that it is being installed, so only the journals of this folder do: ${detail}`,
    )
    return undefined
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
