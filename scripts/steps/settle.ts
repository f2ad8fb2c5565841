/**
 * Waits until Kubernetes finds the node ready at the version that its kubelet had, without a cordon of Talos' own, and
 * with everything ready that runs on it whatever happens: static pods and the pods of DaemonSets. All of that has to hold
 * for the soak without a break.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { KubePod } from '../../workflows/model/kubernetes.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { asking, type World } from './world.ts'

export const settle =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const { kubernetes } = plan
    if (kubernetes === undefined) return { ok: true, value: undefined }
    const { name, kubeletVersion } = kubernetes
    const { soakMs } = world.cluster.operations.upgrade
    let since: number | undefined
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be ready in Kubernetes${soakMs > 0 ? `, for ${soakMs / 1000} s` : ''}`,
      look: async (): Promise<{ missing: string }> => {
        const options = asking(world, plan, context)
        const [node, pods] = await Promise.all([
          world.kubernetes.node(name, options),
          world.kubernetes.podsOn(name, options),
        ])
        const missing = (): string => {
          if (!node.ok) return node.failure.detail ?? node.failure.reason
          if (!pods.ok) return pods.failure.detail ?? pods.failure.reason
          if (!node.value) return 'there is no Node'
          if (!node.value.ready) return node.value.detail ?? 'its Node is not ready'
          if (node.value.cordonedByTalos) return 'Talos has not lifted the cordon that it set for the upgrade'
          if (node.value.kubeletVersion !== kubeletVersion)
            return `its kubelet runs ${node.value.kubeletVersion}, not ${kubeletVersion}`
          const standing = pods.value.filter(staysWithNode)
          if (plan.role === 'controlplane' && !standing.some((pod) => pod.mirror)) return 'no static pod is there yet'
          return standing
            .filter((pod) => !pod.ready)
            .map((pod) => `${pod.namespace}/${pod.name}`)
            .join(', ')
        }
        const text = missing()
        if (text === '') since ??= performance.now()
        else since = undefined
        return { missing: text }
      },
      until: () => since !== undefined && performance.now() - since >= soakMs,
      say: ({ missing }) => (missing === '' ? 'ready' : `not ready: ${missing}`),
      deadlineMs: world.cluster.operations.deadlines.readyMs + soakMs,
      everyMs: 500,
    })
    if (met) return { ok: true, value: undefined }
    return {
      ok: false,
      failure: failure('kubernetes-not-ready', {
        detail: seen.missing === '' ? 'not ready for long enough' : `not ready: ${seen.missing}`,
        hint: `kubectl describe node ${name}`,
      }),
    }
  }

const staysWithNode = (pod: KubePod): boolean =>
  !pod.terminating && (pod.mirror || pod.controller?.kind === 'DaemonSet')
