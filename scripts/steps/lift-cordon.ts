import { failure, type Result } from '../../workflows/model/failure.ts'
import type { CallOptions } from '../kubernetes.ts'
import { type Waiter, watch } from '../watch.ts'
import type { World } from './world.ts'

/** Lifts the cordon that carries the mark of `run`, and nobody else's; done when a read shows that it is gone. */
export async function liftCordon(
  world: Pick<World, 'cluster' | 'kubernetes'>,
  { name, run, ...options }: { name: string; run: string } & CallOptions,
  waiter: Waiter,
): Promise<Result<void>> {
  const isLifted = async (): Promise<Result<boolean>> => {
    const node = await world.kubernetes.node(name, options)
    if (!node.ok) return node
    if (node.value?.mark?.run !== run) return { ok: true, value: true }
    const patched = await world.kubernetes.uncordon(node.value, options)
    return patched.ok ? { ok: true, value: false } : patched
  }
  const { met, seen } = await watch(waiter, {
    what: `${name} to be uncordoned`,
    // a patch that went through is seen to have done so, right away
    look: async () => {
      const first = await isLifted()
      return first.ok && !first.value ? isLifted() : first
    },
    until: (result) => result.ok && result.value,
    say: (result) => (result.ok ? 'changed by somebody else meanwhile' : (result.failure.detail ?? '')),
    deadlineMs: world.cluster.operations.deadlines.readyMs,
    everyMs: 300,
  })
  if (met) return { ok: true, value: undefined }
  const why = seen.ok ? 'somebody else changes the node all the time' : (seen.failure.detail ?? seen.failure.reason)
  return {
    ok: false,
    failure: failure('left-cordoned', {
      detail: `it stays cordoned, since our cordon could not be lifted: ${why}`,
      hint: `kubectl uncordon ${name}`,
    }),
  }
}
