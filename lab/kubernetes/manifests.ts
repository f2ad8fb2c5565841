import { setTimeout } from 'node:timers/promises'
import { type ApiClient, KubeError, type KubeObject } from './api-client.ts'

const retryMs = 200

type Resource = { name: string; kind: string; namespaced: boolean }

/**
 * Applies objects in their order, whatever kind they are of. What the API server does not take yet (a namespace without
 * its service account) is tried again; what it will never take rejects with its words.
 */
export async function applyManifests(
  api: ApiClient,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const known = new Map<string, Promise<readonly Resource[]>>()
  for (const object of objects) {
    for (;;) {
      signal.throwIfAborted()
      try {
        const { apiVersion = 'v1', kind } = object
        const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
        const listed = known.get(group) ?? api.get<{ resources: Resource[] }>(group).then(({ resources }) => resources)
        known.set(group, listed)
        const resource = (await listed).find((candidate) => candidate.kind === kind && !candidate.name.includes('/'))
        if (resource === undefined) throw new KubeError(400, `${apiVersion} has no ${kind}`)
        const { name, namespace = 'default' } = object.metadata
        const within = resource.namespaced ? `/namespaces/${namespace}` : ''
        await api.apply(`${group}${within}/${resource.name}/${name}`, object)
        break
      } catch (error) {
        const final = error instanceof KubeError && (error.code === 400 || error.code === 422)
        if (final) throw new Error(`${object.kind} ${object.metadata.name}: ${(error as Error).message}`)
        await setTimeout(retryMs)
      }
    }
  }
}
