import type { ApiClient, KubeObject } from './api-client.ts'
import type { Informer } from './informer.ts'
import { isReady } from './is-ready.ts'

/** Controllers whose pods are waited for, by kind. */
const paths: Readonly<Record<string, string>> = {
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  DaemonSet: '/apis/apps/v1/daemonsets',
}

/** What of these objects does not run yet, by kind and name. */
export async function notRunning(api: ApiClient, pods: Informer, objects: readonly KubeObject[]): Promise<string[]> {
  const kinds = [...new Set(objects.map(({ kind = '' }) => kind))].filter((kind) => paths[kind] !== undefined)
  const lists = await Promise.all(kinds.map((kind) => api.get<{ items: KubeObject[] }>(paths[kind] ?? '')))
  const found = new Map(kinds.map((kind, index) => [kind, lists[index]?.items ?? []]))
  return objects.flatMap(({ kind = '', metadata: { name, namespace = 'default' } }) => {
    const says = `${kind} ${namespace}/${name}`
    if (kind === 'Pod') return isReady(pods.find(name, namespace)) ? [] : [says]
    const controller = found
      .get(kind)
      ?.find((item) => item.metadata.name === name && item.metadata.namespace === namespace)
    if (paths[kind] === undefined) return []
    const { spec, status } = controller ?? {}
    const wanted = kind === 'DaemonSet' ? status?.desiredNumberScheduled : spec?.replicas
    const ready = kind === 'DaemonSet' ? status?.numberReady : status?.readyReplicas
    return wanted !== undefined && (ready ?? 0) >= wanted ? [] : [says]
  })
}
