/** Pulls the installer onto the node while it runs on undisturbed; pulling what is there already costs nothing. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { switchOf } from '../../workflows/plan/plan.ts'
import { ruleFor } from '../../workflows/plan/verification-rule.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

export const pullImage =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const { signal, processFile, waiting } = context
    const { image } = switchOf(plan)
    waiting(`${image} to be pulled`)
    const timeoutMs = world.cluster.operations.deadlines.pullMs
    const node = declaredNode(world, plan.node)
    const pulled = await world.talos.pull(node, image, {
      signal,
      timeoutMs,
      processFile,
    })
    if (pulled.ok || pulled.failure.reason !== 'image-refused') return pulled
    const hint = `talosctl -n ${plan.node} get imageverificationrules -o yaml`
    const { detail = '' } = pulled.failure
    // Talos names the rule that denies an image, and not the one whose signature is missing
    if (detail.includes('matched rule')) return { ok: false, failure: { ...pulled.failure, hint } }
    const patterns = await world.talos.verificationPatterns(node, reading(world, context))
    const rule = patterns.ok ? ruleFor(image, patterns.value) : undefined
    const by = rule ? `by rule ${rule.id}, for ${rule.pattern}` : 'by which rule the node does not tell'
    return { ok: false, failure: { ...pulled.failure, detail: `${detail}: ${by}`, hint } }
  }
