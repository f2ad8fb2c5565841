/** After a failure: how the node really stands. */
import semver from 'semver'
import type { Diagnosis, NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { evidenceOf } from './verify.ts'
import { declaredNode, reading, type World } from './world.ts'

export const diagnose =
  (world: World) =>
  async ({ plan, flipped }: NodeStepInput, context: StepContext): Promise<Result<Diagnosis>> => {
    const seen = await world.talos.inspect(declaredNode(world, plan.node), reading(world, context))
    if (!seen.ok)
      return {
        ok: true,
        value: { verdict: 'unreachable', evidence: { versionBefore: plan.from, bootIdBefore: plan.bootId } },
      }
    return {
      ok: true,
      value: { verdict: verdictAfterFailure(plan, seen.value, flipped), evidence: evidenceOf(plan, seen.value) },
    }
  }

/** What a node that answers is, given that something on its way failed before or after it was to go down. */
function verdictAfterFailure(plan: NodePlan, facts: Inspection, flipped: boolean): Verdict {
  if (facts.otherSlot.state === 'installed' && facts.otherSlot.image === plan.image) return 'installed-not-rebooted'
  if (!flipped || facts.bootId === plan.bootId) return 'unchanged'
  const before = semver.eq(facts.version, plan.from) && facts.schematic === plan.schematicBefore
  return before ? 'rolled-back' : 'stuck'
}
