/** Lifts our cordon; where the node carries none of ours, there is nothing to do. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, type FailureReason, failure, type Result } from '../../workflows/model/failure.ts'
import type { CallOptions } from '../cluster/kubernetes.ts'
import type { Sight } from '../cluster/sight.ts'
import { asking, kubernetesName, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { CORDON_ANNOTATION } from '../tools/kubectl.ts'
import { type Waiter, watch } from '../watch.ts'
import { toldFirst } from './told-first.ts'

export const uncordon =
  (world: World) =>
  ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> =>
    liftCordon(
      world,
      { name: kubernetesName(plan), run: world.run, ...asking(world, plan, context) },
      context,
      world.sight,
    )

/**
 * Lifts the cordon of `run`, and nobody else's; done when it is seen to be gone. Where its mark outlived it only that goes, which
 * may fail: it does no harm. Where the Node does not tell whose cordon it is, a person has to know.
 */
export async function liftCordon(
  world: Pick<World, 'cluster' | 'kubernetes'>,
  { name, run, ...options }: { name: string; run: string } & CallOptions,
  waiter: Waiter,
  sight?: Sight,
): Promise<Result<void>> {
  const told = await sight?.nodes(options)
  const ours = told?.ok ? told.value.find((node) => node.name === name && node.mark?.run === run) : undefined
  const read = toldFirst(ours, () => world.kubernetes.node(name, options))
  const isLifted = async (): Promise<Result<boolean>> => {
    const node = await read()
    if (!node.ok) return node
    const { mark, staleMark } = node.value ?? {}
    if (node.value === undefined || (mark ?? staleMark)?.run !== run) return { ok: true, value: true }
    if (staleMark?.beside === 'unknown-cordon') return { ok: false, failure: left(name, UNKNOWN) }
    if (staleMark) {
      await world.kubernetes.unmark(node.value, options)
      return { ok: true, value: true }
    }
    const patched = await world.kubernetes.uncordon(node.value, options)
    return patched.ok ? { ok: true, value: patched.value !== 'conflict' } : patched
  }
  const { met, seen } = await watch(waiter, {
    what: `${name} to be uncordoned`,
    look: isLifted,
    // who may not lift it may not a moment later, either
    until: (result) => (result.ok ? result.value : FINAL.includes(result.failure.reason)),
    say: (result) => (result.ok ? 'changed by somebody else meanwhile' : (result.failure.detail ?? '')),
    deadlineMs: world.cluster.operations.deadlines.readyMs,
    everyMs: 300,
  })
  if (met && seen.ok) return { ok: true, value: undefined }
  if (!seen.ok && seen.failure.reason === 'left-cordoned') return seen
  const why = seen.ok ? 'somebody else changes the node all the time' : (seen.failure.detail ?? seen.failure.reason)
  const stays = left(name, `since our cordon could not be lifted: ${why}`)
  const manifest = seen.ok ? undefined : seen.failure.manifest
  return { ok: false, failure: manifest === undefined ? stays : { ...stays, manifest } }
}

const FINAL: readonly FailureReason[] = ['left-cordoned', 'kubernetes-forbidden']

const UNKNOWN = 'since its Node does not tell whether the cordon is ours'

const left = (name: string, why: string): Failure =>
  failure('left-cordoned', {
    detail: `it stays cordoned, ${why}`,
    hint: `kubectl uncordon ${name} && kubectl annotate node ${name} ${CORDON_ANNOTATION}-`,
  })
