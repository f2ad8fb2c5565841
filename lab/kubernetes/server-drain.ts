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
  readonly #node: () => string
  readonly #world: { api: ApiClient; pods: Informer; clock: Clock }

  constructor(node: () => string, world: { api: ApiClient; pods: Informer; clock: Clock }) {
    this.#node = node
    this.#world = world
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pods, clock } = this.#world
    const over = new AbortController()
    const stop = AbortSignal.any([signal, over.signal])
    const work = async () => {
      await this.#cordon(stop)
      const own = pods.all().filter((pod) => pod.spec.nodeName === this.#node() && isEvictable(pod) && isManaged(pod))
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
    return `/api/v1/nodes/${this.#node()}`
  }

  /** Until it is seen: somebody else may change the Node in the same moment. */
  async #cordon(stop: AbortSignal): Promise<void> {
    const { api, clock } = this.#world
    for (;;) {
      const node = await api.get(this.#path).catch(() => undefined)
      if (node?.spec?.unschedulable === true) return
      if (node !== undefined)
        await this.#patch(node.metadata, { annotation: 'true', unschedulable: true }).catch(() => undefined)
      await clock.sleep(lookSeconds, stop)
    }
  }

  #patch(
    { resourceVersion }: KubeObject['metadata'],
    { annotation, unschedulable }: { annotation: 'true' | null; unschedulable: true | null },
  ): Promise<KubeObject> {
    const annotations = { [cordonedByTalos]: annotation }
    return this.#world.api.patch(this.#path, { metadata: { resourceVersion, annotations }, spec: { unschedulable } })
  }

  async #evict(pod: KubeObject, stop: AbortSignal): Promise<void> {
    const { pods, clock } = this.#world
    const { namespace, name, uid } = pod.metadata
    while (!(await this.#mayLeave(pod))) await clock.sleep(forbiddenSeconds, stop)
    while (pods.find(name, namespace)?.metadata.uid === uid) await clock.sleep(lookSeconds, stop)
  }

  /** Asks for the eviction; false where a budget forbids it. */
  async #mayLeave({ metadata: { namespace, name } }: KubeObject): Promise<boolean> {
    const deleteOptions = { gracePeriodSeconds: graceSeconds }
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name }, deleteOptions }
    try {
      await this.#world.api.create(`/api/v1/namespaces/${namespace}/pods/${name}/eviction`, eviction)
      return true
    } catch (error) {
      if (error instanceof KubeError && error.code === 429) return false
      throw error
    }
  }
}

const isManaged = ({ metadata }: KubeObject): boolean =>
  metadata.ownerReferences?.some(({ controller }) => controller) ?? false
