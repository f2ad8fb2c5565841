import type { KubeObject } from './api-client.ts'

/** A pod that a drain moves: neither static, nor of a DaemonSet, nor finished. */
export function isEvictable({ metadata, status }: KubeObject): boolean {
  const isMirror = metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
  const isDaemon = metadata.ownerReferences?.some(({ kind, controller }) => controller && kind === 'DaemonSet') ?? false
  return !isMirror && !isDaemon && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}

type Taint = { key: string; value?: string; effect: string }
type Toleration = { key?: string; operator?: string; value?: string; effect?: string }

/** Whether the pod could run on the node now, by its readiness, its cordon, the pod's node selector and the taints. */
export function couldRunOn({ spec }: KubeObject, node: KubeObject): boolean {
  const conditions = (node.status?.conditions ?? []) as { type: string; status: string }[]
  const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
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
    isReady &&
    node.spec?.unschedulable !== true &&
    selector.every(([key, value]) => labels[key] === value) &&
    taints.every(tolerated)
  )
}
