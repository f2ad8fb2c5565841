/**
 * Empties the node with `kubectl drain`, and waits until its volumes are detached. Whether it is empty is read from the
 * pods. When the deadline passes it says who blocks, by name, and nothing was forced.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubernetesRead } from '../../workflows/model/kubernetes.ts'
import { forecastDrain } from '../../workflows/plan/drain/forecast.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { ensureCordoned } from './ensure-cordoned.ts'
import { asking, type World } from './world.ts'

const AGAIN_MS = 1_000

export const drain =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const name = plan.kubernetes?.name ?? plan.node
    const policy = world.cluster.operations.drain
    const deadline = Date.now() + policy.timeoutMs
    for (;;) {
      // since an earlier process was stopped, somebody may have lifted the cordon
      const cordoned = await ensureCordoned(world, plan, context)
      if (!cordoned.ok) return cordoned
      const { signal, processFile } = context
      const timeoutMs = Math.max(1_000, deadline - Date.now())
      context.waiting(`${plan.node} to be drained`)
      const drained = await world.kubernetes.drain(
        name,
        { policy, timeoutMs, say: (line) => context.waiting(`${plan.node} to be drained`, line) },
        { signal, processFile, timeoutMs: timeoutMs + GRACE_MS, avoid: plan.address },
      )
      signal.throwIfAborted()
      // the exit code says how kubectl fared; the pods say whether the node is empty
      const read = await world.kubernetes.read(asking(world, plan, context))
      if (read.ok && podsLeft(world, read.value, name).length === 0) return untilDetached(world, plan, context)
      if (Date.now() >= deadline) return { ok: false, failure: blocked(world, name, read, drained) }
      await pause(Math.min(AGAIN_MS, Math.max(0, deadline - Date.now())), undefined, { signal })
    }
  }

/** kubectl ends by itself at its own timeout; this is how much later it is ended. */
const GRACE_MS = 10_000

/** Pods that a drain would have moved, or that are still ending. */
const podsLeft = (world: World, read: KubernetesRead, name: string): string[] =>
  forecastDrain({ ...read, trials: {}, gates: [] }, name, world.cluster.operations.drain).evicts

function blocked(world: World, name: string, read: Result<KubernetesRead>, drained: Result<unknown>): Failure {
  const said = drained.ok ? undefined : drained.failure.detail
  if (!read.ok) return { ...read.failure, detail: said ?? read.failure.detail ?? '' }
  const facts = { ...read.value, trials: {}, gates: [] }
  const { evicts, obstacles } = forecastDrain(facts, name, world.cluster.operations.drain)
  const blocking = obstacles.filter((o) => o.blocks)
  const whoBlocks = blocking.length > 0 ? blocking.map((o) => o.detail) : evicts.map((pod) => `${pod} is still there`)
  const [first] = blocking
  const [namespace, budget] = first?.budget?.split('/') ?? []
  return failure('drain-blocked', {
    detail: [
      ...whoBlocks.slice(0, NAMED),
      ...(whoBlocks.length > NAMED ? [`${whoBlocks.length - NAMED} more`] : []),
    ].join('; '),
    hint:
      budget === undefined
        ? `kubectl get pods -A --field-selector spec.nodeName=${name}`
        : `kubectl -n ${namespace} describe poddisruptionbudget ${budget}`,
  })
}

const NAMED = 5

/** A node that goes down with volumes attached keeps them from the pods that moved. */
async function untilDetached(world: World, plan: NodePlan, context: StepContext): Promise<Result<void>> {
  const name = plan.kubernetes?.name ?? plan.node
  const { met, seen } = await watch({
    what: `the volumes of ${plan.node} to be detached`,
    look: () => world.kubernetes.read(asking(world, plan, context)),
    until: (read) => read.ok && attachedTo(read.value, name).length === 0,
    say: (read) => (read.ok ? attachedTo(read.value, name).join(', ') : (read.failure.detail ?? '')),
    deadlineMs: world.cluster.operations.drain.detachMs,
    everyMs: 500,
    signal: context.signal,
    waiting: (what, last) => context.waiting(what, last),
  })
  if (met) return { ok: true, value: undefined }
  const detail = seen.ok ? `still attached: ${attachedTo(seen.value, name).join(', ')}` : (seen.failure.detail ?? '')
  return { ok: false, failure: failure('volumes-attached', { detail, hint: 'kubectl get volumeattachments' }) }
}

/** Volumes that are attached to the node and that no pod which stays there mounts. */
function attachedTo({ attachments, pods }: KubernetesRead, name: string): string[] {
  const staying = new Set(
    pods.filter((pod) => pod.node === name).flatMap((pod) => pod.claims.map((claim) => `${pod.namespace}/${claim}`)),
  )
  return attachments
    .filter(({ node, claim }) => node === name && !(claim !== undefined && staying.has(claim)))
    .map(({ claim, volume }) => claim ?? volume)
}
