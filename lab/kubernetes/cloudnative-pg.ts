import type { Clock } from '../clock.ts'
import type { LabLog } from '../log.ts'
import type { ApiClient, KubeObject } from './api-client.ts'
import { ignoreMissing } from './ignore-missing.ts'
import type { Informer } from './informer.ts'
import { isReady } from './is-ready.ts'
import { reconciler } from './reconciler.ts'

const clusterLabel = 'cnpg.io/cluster'
const roleLabel = 'cnpg.io/instanceRole'
const switchoverSeconds = 4

/**
 * What a drain meets where databases run as CloudNativePG runs them: one pod of each `cnpg.io/cluster` is its primary, by a
 * label. The primary of a node that is cordoned hands over to a ready replica elsewhere, and only then does a budget over
 * primaries let the pod go. A database of one instance has nobody to hand over to.
 */
export class CloudNativePg {
  readonly #api: ApiClient
  readonly #pods: Informer
  readonly #nodes: Informer
  readonly #clock: Clock
  readonly #log: LabLog
  readonly #signal: AbortSignal

  constructor(options: {
    api: ApiClient
    pods: Informer
    nodes: Informer
    clock: Clock
    log: LabLog
    signal: AbortSignal
  }) {
    this.#api = options.api
    this.#pods = options.pods
    this.#nodes = options.nodes
    this.#clock = options.clock
    this.#log = options.log
    this.#signal = options.signal
  }

  start(): void {
    const wake = reconciler('cloudnative-pg', this.#signal, () => this.#settle())
    this.#pods.on((_, pod) => (clusterOf(pod) === undefined ? undefined : wake()))
    this.#nodes.on(wake)
    wake()
  }

  async #settle(): Promise<void> {
    const all = this.#pods.all().filter(isInstance)
    const isCordoned = ({ spec }: KubeObject) => this.#nodes.find(spec.nodeName)?.spec?.unschedulable === true
    for (const cluster of new Set(all.map(clusterOf))) {
      const instances = all.filter((pod) => clusterOf(pod) === cluster)
      const primary = primaryOf(instances, isCordoned)
      if (primary === undefined) continue
      const [before] = instances.filter((pod) => roleOf(pod) === 'primary' && pod !== primary)
      if (before !== undefined && roleOf(primary) !== 'primary') {
        await this.#clock.sleep(switchoverSeconds, this.#signal)
        const where = { node: before.spec.nodeName as string, to: primary.spec.nodeName as string }
        this.#log.append({ type: 'primary.moved', cluster: cluster ?? '', ...where })
      }
      await this.#label(primary, 'primary')
      for (const pod of instances) if (pod !== primary) await this.#label(pod, 'replica')
    }
  }

  async #label(pod: KubeObject, role: 'primary' | 'replica'): Promise<void> {
    if (roleOf(pod) === role) return
    const { namespace, name } = pod.metadata
    await this.#api
      .patch(`/api/v1/namespaces/${namespace}/pods/${name}`, { metadata: { labels: { [roleLabel]: role } } })
      .catch(ignoreMissing)
  }
}

function clusterOf({ metadata: { namespace, labels } }: KubeObject): string | undefined {
  const name = labels?.[clusterLabel]
  return name === undefined ? undefined : `${namespace}/${name}`
}

const roleOf = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[roleLabel]

const isInstance = (pod: KubeObject): boolean =>
  clusterOf(pod) !== undefined && pod.metadata.deletionTimestamp === undefined && isReady(pod)

/** Today's primary as long as its node takes pods, else the first instance on one that does; nobody to go to, it stays. */
function primaryOf(instances: readonly KubeObject[], isCordoned: (pod: KubeObject) => boolean): KubeObject | undefined {
  const primaries = instances.filter((pod) => roleOf(pod) === 'primary')
  const byName = [...instances].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))
  return (
    primaries.find((pod) => !isCordoned(pod)) ?? byName.find((pod) => !isCordoned(pod)) ?? primaries[0] ?? byName[0]
  )
}
