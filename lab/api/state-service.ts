import { ApiError } from '../lab-node.ts'
import { type Call, type Method, streaming, unary } from './method.ts'
import type { StoredResource } from './resource-store.ts'
import { signalled } from './signalled.ts'

type Kind = { namespace: string; type: string }
type Watch = Kind & { id?: string; options: { bootstrap_contents: boolean } | null; api_version: number }

/** cosi.resource.State, the read side; what talosctl `get` and its typed readers use. */
export const stateService: Readonly<Record<string, Method>> = {
  '/cosi.resource.State/Get': unary<Kind & { id: string }>(
    { request: 'cosi.resource.GetRequest', response: 'cosi.resource.GetResponse' },
    async ({ resources, roles }, { type, namespace, id }) => {
      const found = (await resources.list(type, namespace, roles)).find((resource) => resource.id === id)
      if (found === undefined) {
        throw new ApiError('NOT_FOUND', `resource ${type}(${namespace}/${id}@undefined) doesn't exist`)
      }
      return { resource: found.encoded }
    },
  ),
  '/cosi.resource.State/List': streaming<Kind>(
    { request: 'cosi.resource.ListRequest', response: 'cosi.resource.ListResponse' },
    async function* ({ resources, roles }, { type, namespace }) {
      for (const { encoded } of await resources.list(type, namespace, roles)) yield { resource: encoded }
    },
  ),
  '/cosi.resource.State/Watch': streaming<Watch>(
    { request: 'cosi.resource.WatchRequest', response: 'cosi.resource.WatchResponse' },
    watch,
  ),
}

async function* watch({ node, resources, roles, signal }: Call, request: Watch): AsyncGenerator<object> {
  const { type, namespace, id } = request
  const wanted = async (): Promise<StoredResource[]> => {
    const all = await resources.list(type, namespace, roles)
    return id === undefined ? all : all.filter((resource) => resource.id === id)
  }
  let seen = new Map((await wanted()).map((resource) => [resource.id, resource]))
  // the client waits for an empty answer before it believes that the watch works
  yield {}
  if (id !== undefined && seen.size === 0) yield one('DESTROYED', tombstone(request, id))
  if (id !== undefined || request.options?.bootstrap_contents === true) {
    for (const { encoded } of seen.values()) yield one('CREATED', encoded)
  }
  if (id === undefined && request.options?.bootstrap_contents === true && request.api_version >= 1) {
    yield one('BOOTSTRAPPED', tombstone(request, ''))
  }
  const onState = (wake: () => void) => node.on((event) => event.type === 'state' && wake())
  for await (const _ of signalled(onState, signal)) {
    const now = new Map((await wanted()).map((resource) => [resource.id, resource]))
    const isSame = (a: StoredResource, b: StoredResource | undefined): boolean => a.incarnation === b?.incarnation
    for (const [key, before] of seen) if (!isSame(before, now.get(key))) yield one('DESTROYED', before.encoded)
    for (const [key, resource] of now) {
      const before = seen.get(key)
      if (before === undefined || !isSame(resource, before)) yield one('CREATED', resource.encoded)
      else if (before.version !== resource.version) yield { event: [update(resource, before)] }
    }
    seen = now
  }
}

const one = (eventType: string, resource: object): object => ({ event: [{ event_type: eventType, resource }] })

const update = (now: StoredResource, before: StoredResource): object => ({
  event_type: 'UPDATED',
  resource: now.encoded,
  old: before.encoded,
})

/** What stands for a resource that is not there; talosctl wants a spec even so. */
const tombstone = ({ namespace, type }: Kind, id: string): object => ({
  metadata: { namespace, type, id, version: 'undefined', phase: 'tearingDown', created: {}, updated: {} },
  spec: { yaml_spec: '{}\n' },
})
