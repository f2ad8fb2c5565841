import type { Clock } from '../clock.ts'
import { type ApiClient, KubeError, type KubeObject } from './api-client.ts'
import type { Informer } from './informer.ts'
import { isEvictable } from './movable.ts'

const cordonedByTalos = 'talos.dev/cordoned'

/** machine seconds, as in Talos' pkg/kubernetes/kubernetes.go */
const patienceSeconds = 300
const forbiddenSeconds = 5
const lookSeconds = 3
const graceSeconds = 60

/**
 * What Talos below 1.13 does to its own Node while it upgrades: cordons it where nobody has, evicts what has a controller,
 * asks again for five minutes where a budget forbids that, and goes on whatever came of it. After the boot it lifts the
 * cordon that it set itself.
 */
export class ServerDrain {
  readonly #node: string
  readonly #world: { api: ApiClient; pods: Informer; clock: Clock }

  constructor(node: string, world: { api: ApiClient; pods: Informer; clock: Clock }) {
    this.#node = node
    this.#world = world
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pods, clock } = this.#world
    const over = new AbortController()
    const stop = AbortSignal.any([signal, over.signal])
    const work = async () => {
      await this.#cordon(stop)
      const own = pods.all().filter((pod) => pod.spec.nodeName === this.#node && isEvictable(pod) && isManaged(pod))
      await Promise.allSettled(own.map((pod) => this.#evict(pod, stop)))
    }
    await Promise.race([work().catch(() => undefined), clock.sleep(patienceSeconds, stop).catch(() => undefined)])
    over.abort()
  }

  /** Lifts the cordon that `run` set; nobody else's. */
  async undo(): Promise<void> {
    const { metadata } = await this.#world.api.get(this.#path)
    if (metadata.annotations?.[cordonedByTalos] === undefined) return
    await this.#patch(metadata, { annotation: null, unschedulable: null })
  }

  get #path(): string {
    return `/api/v1/nodes/${this.#node}`
  }

  /** Until it is seen: somebody else may change the Node in the same moment. */
  async #cordon(stop: AbortSignal): Promise<void> {
    const { api, clock } = this.#world
    for (let isCordoned = false; !isCordoned; await clock.sleep(lookSeconds, stop)) {
      const node = await api.get(this.#path).catch(() => undefined)
      isCordoned = node?.spec?.unschedulable === true
      if (node !== undefined && !isCordoned)
        await this.#patch(node.metadata, { annotation: 'true', unschedulable: true }).catch(() => undefined)
    }
  }

  #patch(
    { resourceVersion }: KubeObject['metadata'],
    { annotation, unschedulable }: { annotation: 'true' | null; unschedulable: true | null },
  ): Promise<KubeObject> {
    const annotations = { [cordonedByTalos]: annotation }
    return this.#world.api.patch(this.#path, { metadata: { resourceVersion, annotations }, spec: { unschedulable } })
  }

  async #evict({ metadata: { namespace, name, uid } }: KubeObject, stop: AbortSignal): Promise<void> {
    const { api, pods, clock } = this.#world
    const metadata = { namespace, name }
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata,
      deleteOptions: { gracePeriodSeconds: graceSeconds },
    }
    for (let isAllowed = false; !isAllowed; ) {
      isAllowed = await api.create(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, body).then(
        () => true,
        (error: unknown) => {
          if (error instanceof KubeError && error.code === 429) return false
          throw error
        },
      )
      if (!isAllowed) await clock.sleep(forbiddenSeconds, stop)
    }
    while (pods.find(name, namespace)?.metadata.uid === uid) await clock.sleep(lookSeconds, stop)
  }
}

const isManaged = ({ metadata }: KubeObject): boolean =>
  metadata.ownerReferences?.some(({ controller }) => controller) ?? false
