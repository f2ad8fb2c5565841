import semver from 'semver'
import { ApiError, type LabNode } from '../lab-node.ts'
import { accessRules } from './access-rules.ts'
import { clusterService } from './cluster-service.ts'
import { etcdMethods } from './etcd-methods.ts'
import { EventLog } from './event-log.ts'
import { imageService } from './image-service.ts'
import { lifecycleService } from './lifecycle-service.ts'
import { machineService } from './machine-service.ts'
import type { Method } from './method.ts'
import { ResourceStore } from './resource-store.ts'
import { stateService } from './state-service.ts'
import { statusOf } from './status.ts'
import { storageService } from './storage-service.ts'

const methods: Readonly<Record<string, Method>> = {
  ...machineService,
  ...etcdMethods,
  ...imageService,
  ...lifecycleService,
  ...clusterService,
  ...storageService,
  ...stateService,
}

/** Talos release that brought a service; older nodes do not know its name. */
const serviceSince: Readonly<Record<string, string>> = {
  'machine.ImageService': '1.13.0',
  'machine.LifecycleService': '1.13.0',
  'machine.DebugService': '1.13.0',
}

/** Where a call came from. */
export type Origin = { endpoint: string; caller: string; roles: readonly string[] }

/** The API of one node itself, behind apid: checks roles, knows which services its release has, records every call. */
export class Machined {
  readonly node: LabNode
  readonly #cluster: readonly LabNode[]
  readonly #events: EventLog
  readonly #resources: ResourceStore

  constructor(node: LabNode, cluster: readonly LabNode[]) {
    this.node = node
    this.#cluster = cluster
    this.#events = new EventLog(node)
    this.#resources = new ResourceStore(node, cluster)
  }

  /** Answers one call with encoded messages; fails with an ApiError. */
  async *call(path: string, request: Uint8Array, origin: Origin, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    // what stays when the consumer turns away before the end
    let outcome = 'Canceled'
    try {
      const method = this.#lookUp(path, origin.roles)
      yield* method.serve(
        {
          node: this.node,
          cluster: this.#cluster,
          events: this.#events,
          resources: this.#resources,
          roles: origin.roles,
          signal,
        },
        request,
      )
      outcome = signal.aborted ? 'Canceled' : 'OK'
    } catch (failure) {
      outcome = signal.aborted ? 'Canceled' : statusOf(failure).name
      throw failure
    } finally {
      this.node.recordCall({ method: path, ...origin, code: outcome })
    }
  }

  close(): void {
    this.#events.close()
    this.#resources.close()
  }

  #lookUp(path: string, roles: readonly string[]): Method {
    const [, service = '', name = ''] = path.split('/')
    const since = serviceSince[service]
    const version = semver.parse(this.node.state().version)
    if (since !== undefined && version !== null && version.compare(since) < 0) {
      throw new ApiError('UNIMPLEMENTED', `unknown service ${service}`)
    }
    const allowed = accessRules[path] ?? ['os:admin']
    if (!roles.some((role) => allowed.includes(role))) throw new ApiError('PERMISSION_DENIED', 'not authorized')
    const method = methods[path]
    if (method === undefined) throw new ApiError('UNIMPLEMENTED', `unknown method ${name} for service ${service}`)
    return method
  }
}
