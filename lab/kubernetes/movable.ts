import type { KubeObject } from './api-client.ts'
import { isReady } from './is-ready.ts'

/** A pod that a drain moves: neither static, nor of a DaemonSet, nor finished. */
export function isEvictable({ metadata, status }: KubeObject): boolean {
  const isMirror = metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
  const isDaemon = metadata.ownerReferences?.some(({ kind, controller }) => controller && kind === 'DaemonSet') ?? false
  return !isMirror && !isDaemon && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}

type Taint = { key: string; value?: string; effect: string }
type Toleration = { key?: string; operator?: string; value?: string; effect?: string }

/**
 * Whether the pod could run on the node now: by the node's readiness and cordon, the pod's node selector, the taints, and
 * the pods that it must not share a node with.
 */
export function couldRunOn(pod: KubeObject, node: KubeObject, pods: readonly KubeObject[]): boolean {
  const { spec } = pod
  const labels = node.metadata.labels ?? {}
  const selector = Object.entries((spec.nodeSelector ?? {}) as Record<string, string>)
  const taints = ((node.spec?.taints ?? []) as Taint[]).filter(({ effect }) => effect !== 'PreferNoSchedule')
  const tolerations = (spec.tolerations ?? []) as Toleration[]
  const tolerated = (taint: Taint) =>
    tolerations.some(
      ({ key, operator, value = '', effect }) =>
        (effect === undefined || effect === taint.effect) &&
        (key === undefined || key === taint.key) &&
        (operator === 'Exists' || value === (taint.value ?? '')),
    )
  return (
    isReady(node) &&
    node.spec?.unschedulable !== true &&
    selector.every(([key, value]) => labels[key] === value) &&
    taints.every(tolerated) &&
    !pods.some((other) => other.spec.nodeName === node.metadata.name && mustBeApart(pod, other))
  )
}

type Term = { topologyKey: string; labelSelector?: { matchLabels?: Record<string, string> } }

/** Required anti-affinity on host names, by labels. */
function mustBeApart({ metadata, spec }: KubeObject, other: KubeObject): boolean {
  if (other.metadata.uid === metadata.uid || other.metadata.namespace !== metadata.namespace) return false
  const terms = (spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) as Term[]
  const labels = other.metadata.labels ?? {}
  return terms.some(
    ({ topologyKey, labelSelector }) =>
      topologyKey === 'kubernetes.io/hostname' &&
      Object.entries(labelSelector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value),
  )
}

/** The budget in the same namespace whose labels the pod has. */
export const budgetOver = (pod: KubeObject, budgets: readonly KubeObject[]): KubeObject | undefined =>
  budgets.find(({ metadata, spec }) => {
    const wanted = Object.entries((spec.selector?.matchLabels ?? {}) as Record<string, string>)
    const labels = pod.metadata.labels ?? {}
    return metadata.namespace === pod.metadata.namespace && wanted.every(([key, value]) => labels[key] === value)
  })
