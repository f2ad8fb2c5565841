/**
 * Empties the node with `kubectl drain`, and waits until its volumes are detached. Whether it is empty is read from the
 * pods. When the deadline passes it says who blocks, by name, and nothing was forced.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubernetesRead, VolumeAttachment } from '../../workflows/model/kubernetes.ts'
import { skipSelector } from '../../workflows/model/skip-selector.ts'
import { fitNowhere, forecastDrain, podName } from '../../workflows/plan/drain/forecast.ts'
import { whyBlocked } from '../../workflows/plan/drain/why-blocked.ts'
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
        tried.failure !== undefined || (tried.read?.ok === true && isEmptied(world, tried.read.value, plan)),
      deadlineMs: timeoutMs,
      // a webhook ends a drain at once, and may have moved the pod itself a little later; kubectl's own pause is that long
      everyMs: 5_000,
    })
    if (seen.failure) return { ok: false, failure: seen.failure }
    if (met && seen.read?.ok) return untilDetached(world, plan, seen.read.value, context)
    return { ok: false, failure: blocked(world, name, plan, heard, seen.read) }
  }

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
  let before = read?.ok ? read : await world.kubernetes.read(options)
  // since an earlier process was stopped, somebody may have lifted the cordon, or the machine have another name; what was
  // read before the cordon counts no more
  if (!(before.ok && before.value.nodes.some((node) => node.name === name && node.ready && node.unschedulable))) {
    const cordoned = await cordon(world)({ plan }, context)
    if (!cordoned.ok) return { failure: cordoned.failure }
    before = await world.kubernetes.read(options)
  }
  if (before.ok && isEmptied(world, before.value, plan)) return { read: before }
  const { signal, processFile } = context
  const policy = world.cluster.operations.drain
  const podSelector = policy.skip === undefined ? undefined : skipSelector(policy.skip)?.evicts
  const drained = await world.kubernetes.drain(
    name,
    {
      policy,
      ...(podSelector === undefined ? {} : { podSelector }),
      hanging: hangingBefore(plan).length > 0,
      timeoutMs: leftMs,
      say: (pod, why) => {
        heard.ofPods.set(pod, why)
        context.waiting(`${plan.node} to be drained`, `${pod}: ${why}`)
      },
    },
    { signal, processFile, timeoutMs: leftMs + GRACE_MS, avoid: plan.address },
  )
  signal.throwIfAborted()
  if (!drained.ok) {
    const { reason, detail = reason } = drained.failure
    if (reason === 'kubernetes-forbidden') return { failure: drained.failure }
    if (!detail.includes('global timeout reached')) heard.ofAll = detail
  }
  // the exit code says how kubectl fared; the pods say whether the node is empty, and only what is left needs all the rest
  const pods = await world.kubernetes.podsOn(name, options)
  if (before.ok && pods.ok) {
    const others = before.value.pods.filter(({ node }) => node !== name)
    const after = { ...before.value, pods: [...others, ...pods.value] }
    if (isEmptied(world, after, plan)) return { read: { ok: true, value: after } }
  }
  return { read: await world.kubernetes.read(options) }
}

/** kubectl ends by itself at its own timeout; this is how much later it is ended. */
const GRACE_MS = 10_000

const hangingBefore = ({ kubernetes }: NodePlan): string[] => kubernetes?.unwell?.hanging ?? []

/** Without the pods that hung in Terminating before the run: the person let it go on although they do. */
const withoutHanging = (read: KubernetesRead, plan: NodePlan): KubernetesRead => ({
  ...read,
  pods: read.pods.filter((pod) => !(pod.terminating && hangingBefore(plan).includes(podName(pod)))),
})

/** Nothing is left on the node that could run elsewhere; what fits on no other node stays, and goes down with this one. */
function isEmptied(world: World, read: KubernetesRead, plan: NodePlan): boolean {
  const facts = withoutHanging(read, plan)
  const forecast = forecastDrain(facts, kubernetesName(plan), world.cluster.operations.drain)
  return forecast.evicts.length === 0 || fitNowhere(forecast)
}

function blocked(
  world: World,
  name: string,
  plan: NodePlan,
  heard: Heard,
  read: Result<KubernetesRead> | undefined,
): Failure {
  if (read?.ok) return whyBlocked(withoutHanging(read.value, plan), name, world.cluster.operations.drain, heard)
  const ofPods = [...heard.ofPods].map(([pod, why]) => `${pod}: ${why}`).join('; ')
  const silent = read?.ok === false ? read.failure.detail : undefined
  return failure('drain-blocked', { detail: ofPods || heard.ofAll || silent || 'Kubernetes is silent' })
}

/** A node that goes down with volumes attached keeps them from the pods that moved. */
async function untilDetached(
  world: World,
  plan: NodePlan,
  read: KubernetesRead,
  context: StepContext,
): Promise<Result<void>> {
  const attachedNow = attachedTo(plan, read)
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

/**
 * Volumes that are attached to the node, that no pod which stays there mounts, and that were not left there by somebody
 * before the run. What claims and pods they belong to was read with the pods.
 */
function attachedTo(plan: NodePlan, { attachments, pods }: KubernetesRead) {
  const name = kubernetesName(plan)
  const staying = new Set(
    pods.filter((pod) => pod.node === name).flatMap((pod) => pod.claims.map((claim) => `${pod.namespace}/${claim}`)),
  )
  const claims = new Map(attachments.map(({ volume, claim }) => [volume, claim]))
  const left = plan.kubernetes?.unwell?.attachments ?? []
  return (now: readonly VolumeAttachment[]): string[] =>
    now
      .filter(({ node, name: own }) => node === name && !left.includes(own))
      .flatMap(({ volume }) => {
        const claim = claims.get(volume)
        return claim !== undefined && staying.has(claim) ? [] : [claim ?? volume]
      })
}
