/** Pulls the installer onto the node while it runs on undisturbed; pulling what is there already costs nothing. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { switchOf } from '../../workflows/plan/plan.ts'
import { declaredNode, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'

export const pullImage =
  (world: World) =>
  async ({ plan }: NodeStepInput, { signal, processFile, waiting }: StepContext): Promise<Result<void>> => {
    const { image } = switchOf(plan)
    waiting(`${image} to be pulled`)
    const timeoutMs = world.cluster.operations.deadlines.pullMs
    const pulled = await world.talos.pull(declaredNode(world, plan.node), image, {
      signal,
      timeoutMs,
      processFile,
    })
    if (pulled.ok || pulled.failure.reason !== 'image-refused') return pulled
    const hint = `talosctl -n ${plan.node} get imageverificationrules -o yaml`
    return { ok: false, failure: { ...pulled.failure, hint } }
  }
