/** Reads from the node what it runs now; only this makes a node `upgraded`. */
import semver from 'semver'
import type { Diagnosis, NodeStepInput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { Inspection } from '../../workflows/model/observation.ts'
import type { Evidence } from '../../workflows/model/verdict.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { declaredNode, reading, type World } from './world.ts'

export const verify =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<Diagnosis>> => {
    const seen = await world.talos.inspect(declaredNode(world, plan.node), reading(world, context))
    if (!seen.ok) return seen
    const facts = seen.value
    const evidence = evidenceOf(plan, facts)
    if (facts.bootId === plan.bootId)
      return { ok: false, failure: failure('reboot-failed', { detail: 'its boot id did not change' }) }
    if (!semver.eq(facts.version, plan.to)) {
      if (semver.eq(facts.version, plan.from)) {
        return {
          ok: false,
          failure: failure('rolled-back', {
            detail: `runs ${facts.version} again, not ${plan.to}`,
            hint: `talosctl -n ${plan.node} dmesg # then run again with --retry`,
          }),
        }
      }
      return { ok: false, failure: failure('wrong-version', { detail: `runs ${facts.version}, not ${plan.to}` }) }
    }
    if (facts.schematic !== plan.schematic && !isVanilla(plan, facts)) {
      const fellBack = plan.from === plan.to && facts.schematic === plan.schematicBefore
      return {
        ok: false,
        failure: failure(fellBack ? 'rolled-back' : 'wrong-schematic', {
          detail: `runs schematic ${facts.schematic ?? 'none'}, not ${plan.schematic}`,
        }),
      }
    }
    if (facts.stage !== 'running' || !facts.ready) {
      return { ok: false, failure: failure('never-ready', { detail: facts.unmet.join(', ') || facts.stage }) }
    }
    return { ok: true, value: { verdict: 'upgraded', evidence } }
  }

/** An image without extensions may carry no schematic entry at all. */
const isVanilla = (plan: NodePlan, facts: Inspection): boolean =>
  facts.schematic === undefined && plan.schematicBefore === undefined

export const evidenceOf = (plan: NodePlan, facts: Inspection): Evidence => ({
  version: facts.version,
  versionBefore: plan.from,
  ...(facts.schematic === undefined ? {} : { schematic: facts.schematic }),
  bootId: facts.bootId,
  bootIdBefore: plan.bootId,
  stage: facts.stage,
  ready: facts.ready,
  ...(facts.otherSlot.state === 'installed'
    ? {
        waiting: {
          image: facts.otherSlot.image,
          ...(facts.otherSlot.at === undefined ? {} : { since: facts.otherSlot.at }),
        },
      }
    : {}),
})
