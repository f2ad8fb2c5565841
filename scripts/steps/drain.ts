/**
 * Empties the node with `kubectl drain`, and waits until its volumes are detached. Whether it is empty is read from the
 * pods. When the deadline passes it says who blocks, by name, and nothing was forced.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubePod, KubernetesRead } from '../../workflows/model/kubernetes.ts'
import { skipSelector } from '../../workflows/model/skip-selector.ts'
import { fitNowhere, forecastDrain, leavingPods, podName } from '../../workflows/plan/drain/forecast.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { ensureCordoned } from './ensure-cordoned.ts'
import { asking, kubernetesName, type World } from './world.ts'

export const drain =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const name = kubernetesName(plan)
    const { timeoutMs } = world.cluster.operations.drain
    const deadline = performance.now() + timeoutMs
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be drained`,
      look: () => attempt(world, plan, Math.max(1_000, deadline - performance.now()), context),
      until: ({ cordoned, read }) => !cordoned.ok || (read?.ok === true && isEmptied(world, read.value, name)),
      deadlineMs: timeoutMs,
      everyMs: 1_000,
    })
    if (!seen.cordoned.ok) return seen.cordoned
    return met ? untilDetached(world, plan, context) : { ok: false, failure: blocked(world, name, seen) }
  }

type Attempt = { cordoned: Result<void>; drained?: Result<void>; read?: Result<KubernetesRead> }

/** One `kubectl drain`, which retries what is refused until its own timeout, and what is there after it. */
async function attempt(world: World, plan: NodePlan, timeoutMs: number, context: StepContext): Promise<Attempt> {
  // since an earlier process was stopped, somebody may have lifted the cordon
  const cordoned = await ensureCordoned(world, plan, context)
  if (!cordoned.ok) return { cordoned }
  const before = await world.kubernetes.read(asking(world, plan, context))
  if (before.ok && isEmptied(world, before.value, kubernetesName(plan))) return { cordoned, read: before }
  const { signal, processFile } = context
  const policy = world.cluster.operations.drain
  const podSelector = policy.skip === undefined ? undefined : skipSelector(policy.skip)?.evicts
  const drained = await world.kubernetes.drain(
    kubernetesName(plan),
    {
      policy,
      ...(podSelector === undefined ? {} : { podSelector }),
      timeoutMs,
      say: (line) => context.waiting(`${plan.node} to be drained`, line),
    },
    { signal, processFile, timeoutMs: timeoutMs + GRACE_MS, avoid: plan.address },
  )
  signal.throwIfAborted()
  // the exit code says how kubectl fared; the pods say whether the node is empty
  return { cordoned, drained, read: await world.kubernetes.read(asking(world, plan, context)) }
}

/** kubectl ends by itself at its own timeout; this is how much later it is ended. */
const GRACE_MS = 10_000

/** Nothing is left on the node that could run elsewhere; what fits on no other node stays, and goes down with this one. */
function isEmptied(world: World, read: KubernetesRead, name: string): boolean {
  const forecast = forecastDrain(read, name, world.cluster.operations.drain)
  return forecast.evicts.length === 0 || fitNowhere(forecast)
}

function blocked(world: World, name: string, { read, drained }: Attempt): Failure {
  const said = drained?.ok === false ? drained.failure.detail : undefined
  if (!read?.ok) return failure('drain-blocked', { detail: said ?? read?.failure.detail ?? 'Kubernetes is silent' })
  const facts = read.value
  // what was to be lifted was not
  const policy = { ...world.cluster.operations.drain, liftedBudgets: [] }
  const { obstacles } = forecastDrain(facts, name, policy)
  const blocking = obstacles.filter((o) => o.blocks)
  const whoBlocks =
    blocking.length > 0 ? blocking.map((o) => o.detail) : leavingPods(facts, name, policy).map(stillThere)
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

const stillThere = (pod: KubePod): string =>
  `${podName(pod)} ${pod.terminating ? 'was evicted and does not end' : 'is still there'}`

/** A node that goes down with volumes attached keeps them from the pods that moved. */
async function untilDetached(world: World, plan: NodePlan, context: StepContext): Promise<Result<void>> {
  const name = kubernetesName(plan)
  const { met, seen } = await watch(context, {
    what: `the volumes of ${plan.node} to be detached`,
    look: () => world.kubernetes.read(asking(world, plan, context)),
    until: (read) => read.ok && attachedTo(read.value, name).length === 0,
    say: (read) => (read.ok ? attachedTo(read.value, name).join(', ') : (read.failure.detail ?? '')),
    deadlineMs: world.cluster.operations.drain.detachMs,
    everyMs: 500,
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
