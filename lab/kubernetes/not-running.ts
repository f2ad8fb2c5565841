import type { ApiClient, KubeObject } from './api-client.ts'
import { isReady } from './is-ready.ts'
import { budgetOver } from './movable.ts'

/** What is waited for, by kind: controllers for their pods, budgets for what they count. */
const paths: Readonly<Record<string, string>> = {
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  DaemonSet: '/apis/apps/v1/daemonsets',
  PodDisruptionBudget: '/apis/policy/v1/poddisruptionbudgets',
}

/** What of these objects does not run yet, by kind and name; a budget runs when it has counted the pods that are ready. */
export async function notRunning(api: Pick<ApiClient, 'get'>, objects: readonly KubeObject[]): Promise<string[]> {
  const list = async (path: string) => (await api.get<{ items: KubeObject[] }>(path)).items
  const kinds = [...new Set(objects.map(({ kind = '' }) => kind))].filter((kind) => paths[kind] !== undefined)
  const lists = await Promise.all(kinds.map((kind) => list(paths[kind] ?? '')))
  const found = new Map(kinds.map((kind, index) => [kind, lists[index]]))
  // after the controllers, so that no pod is missing of which they say that it is ready
  const pods = await list('/api/v1/pods')
  const runs = ({ kind = '', metadata: { name, namespace = 'default' } }: KubeObject): boolean => {
    const is = ({ metadata }: KubeObject) => metadata.name === name && metadata.namespace === namespace
    if (kind === 'Pod') return isReady(pods.find(is))
    if (paths[kind] === undefined) return true
    const object = found.get(kind)?.find(is)
    if (kind === 'PodDisruptionBudget') return object !== undefined && hasCounted(object, pods)
    const { spec, status } = object ?? {}
    const wanted = kind === 'DaemonSet' ? status?.desiredNumberScheduled : spec?.replicas
    const ready = kind === 'DaemonSet' ? status?.numberReady : status?.readyReplicas
    return wanted !== undefined && (ready ?? 0) >= wanted
  }
  return objects
    .filter((object) => !runs(object))
    .map(({ kind, metadata: { name, namespace = 'default' } }) => `${kind} ${namespace}/${name}`)
}

/** Until its controller has looked a budget allows nothing, and what it allowed may be of when fewer pods were ready. */
function hasCounted(budget: KubeObject, pods: readonly KubeObject[]): boolean {
  const { conditions = [], currentHealthy = 0 } = budget.status ?? {}
  const ready = pods.filter((pod) => isReady(pod) && budgetOver(pod, [budget]) !== undefined)
  // by expressions nobody here selects, and what can not be counted stays so
  const isUnknown = budget.spec.selector?.matchExpressions !== undefined
  const isFailed = (conditions as { reason: string }[]).some(({ reason }) => reason === 'SyncFailed')
  return conditions.length > 0 && (isUnknown || isFailed || currentHealthy >= ready.length)
}
