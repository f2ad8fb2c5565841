/**
 * Empties the node with `kubectl drain`, and waits until its volumes are detached. Whether it is empty is read from the
 * pods. When the deadline passes it says who blocks, by name, and nothing was forced.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubernetesRead, VolumeAttachment } from '../../workflows/model/kubernetes.ts'
import { skipSelector } from '../../workflows/model/skip-selector.ts'
import { type Drained, isEmptied, stillAttached, withoutHanging } from '../../workflows/plan/drain/emptied.ts'
import { whyBlocked, whyUnread } from '../../workflows/plan/drain/why-blocked.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { asking, kubernetesName, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { cordon } from './cordon.ts'

export const drain =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const name = kubernetesName(plan)
    const { timeoutMs } = world.cluster.operations.drain
    const deadline = performance.now() + timeoutMs
    const heard: Heard = { ofPods: new Map() }
    let read: Result<KubernetesRead> | undefined
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be drained`,
      look: async () => {
        const leftMs = Math.max(1_000, deadline - performance.now())
        const tried = await attempt(world, plan, { leftMs, heard, read }, context)
        read = tried.read
        return tried
      },
      until: (tried) =>
        tried.failure !== undefined ||
        (tried.read?.ok === true && isEmptied(tried.read.value, drained(plan), world.cluster.operations.drain)),
      deadlineMs: timeoutMs,
      // a webhook ends a drain at once, and may have moved the pod itself a little later; kubectl's own pause is that long
      everyMs: 5_000,
    })
    if (seen.failure) return { ok: false, failure: seen.failure }
    if (met && seen.read?.ok) return untilDetached(world, plan, seen.read.value, context)
    const why = seen.read?.ok
      ? whyBlocked(withoutHanging(seen.read.value, drained(plan)), name, world.cluster.operations.drain, heard)
      : whyUnread(heard, seen.read?.failure.detail)
    return { ok: false, failure: why }
  }

const drained = (plan: NodePlan): Drained => ({ name: kubernetesName(plan), unwell: plan.kubernetes?.unwell })

/** The last real reasons, in kubectl's words: later ones may be that its time was over. */
type Heard = { ofPods: Map<string, string>; ofAll?: string }

/** `failure` ends it: nothing that is tried again can help. */
type Attempt = { failure?: Failure; read?: Result<KubernetesRead> }

/** One `kubectl drain`, which retries what is refused until its own timeout, and what is there after it. */
async function attempt(
  world: World,
  plan: NodePlan,
  { leftMs, heard, read }: { leftMs: number; heard: Heard; read: Result<KubernetesRead> | undefined },
  context: StepContext,
): Promise<Attempt> {
  const name = kubernetesName(plan)
  const options = asking(world, plan, context)
  const policy = world.cluster.operations.drain
  let before = read?.ok ? read : await world.kubernetes.read(options)
  // since an earlier process was stopped, somebody may have lifted the cordon, or the machine have another name; what was
  // read before the cordon counts no more
  if (!(before.ok && before.value.nodes.some((node) => node.name === name && node.ready && node.unschedulable))) {
    const cordoned = await cordon(world)({ plan }, context)
    if (!cordoned.ok) return { failure: cordoned.failure }
    before = await world.kubernetes.read(options)
  }
  if (before.ok && isEmptied(before.value, drained(plan), policy)) return { read: before }
  const { signal, processFile } = context
  const podSelector = policy.skip === undefined ? undefined : skipSelector(policy.skip)?.evicts
  const ended = await world.kubernetes.drain(
    name,
    {
      policy,
      ...(podSelector === undefined ? {} : { podSelector }),
      hanging: (plan.kubernetes?.unwell?.hanging.length ?? 0) > 0,
      timeoutMs: leftMs,
      say: (pod, why) => {
        heard.ofPods.set(pod, why)
        context.waiting(`${plan.node} to be drained`, `${pod}: ${why}`)
      },
    },
    { signal, processFile, timeoutMs: leftMs + GRACE_MS, avoid: plan.address },
  )
  signal.throwIfAborted()
  if (!ended.ok) {
    const { reason, detail = reason } = ended.failure
    if (reason === 'kubernetes-forbidden') return { failure: ended.failure }
    if (!detail.includes('global timeout reached')) heard.ofAll = detail
  }
  // the exit code says how kubectl fared; the pods say whether the node is empty, and only what is left needs all the rest
  const pods = await world.kubernetes.podsOn(name, options)
  if (before.ok && pods.ok) {
    const others = before.value.pods.filter(({ node }) => node !== name)
    const after = { ...before.value, pods: [...others, ...pods.value] }
    if (isEmptied(after, drained(plan), policy)) return { read: { ok: true, value: after } }
  }
  return { read: await world.kubernetes.read(options) }
}

/** kubectl ends by itself at its own timeout; this is how much later it is ended. */
const GRACE_MS = 10_000

/** A node that goes down with volumes attached keeps them from the pods that moved. */
async function untilDetached(
  world: World,
  plan: NodePlan,
  read: KubernetesRead,
  context: StepContext,
): Promise<Result<void>> {
  const attachedNow = (now: readonly VolumeAttachment[]) => stillAttached(now, drained(plan), read)
  // on a cordoned node there will be no more of them than there were
  if (attachedNow(read.attachments).length === 0) return { ok: true, value: undefined }
  const { met, seen } = await watch(context, {
    what: `the volumes of ${plan.node} to be detached`,
    look: () => world.kubernetes.attachments(asking(world, plan, context)),
    until: (now) => now.ok && attachedNow(now.value).length === 0,
    say: (now) => (now.ok ? attachedNow(now.value).join(', ') : (now.failure.detail ?? '')),
    deadlineMs: world.cluster.operations.drain.detachMs,
    everyMs: 500,
  })
  if (met) return { ok: true, value: undefined }
  const detail = seen.ok ? `still attached: ${attachedNow(seen.value).join(', ')}` : (seen.failure.detail ?? '')
  return { ok: false, failure: failure('volumes-attached', { detail, hint: 'kubectl get volumeattachments' }) }
}
