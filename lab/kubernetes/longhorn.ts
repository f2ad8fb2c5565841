import type { ApiClient, KubeObject } from './api-client.ts'
import { ignoreMissing } from './ignore-missing.ts'
import { applyManifests } from './manifests.ts'
import { reconciler } from './reconciler.ts'
import type { Storage } from './storage.ts'

const namespace = 'longhorn-system'

/**
 * What a drain meets where storage runs as Longhorn does: an instance manager on each node, under a budget that allows
 * nothing as long as a volume is attached there. The budget goes with the last volume, so that a drain which waits ends,
 * and one that is judged by its first refusal does not begin.
 */
export class Longhorn {
  readonly #api: ApiClient
  readonly #storage: Storage
  readonly #signal: AbortSignal
  readonly #nodes: readonly string[]

  constructor(options: { api: ApiClient; storage: Storage; nodes: readonly string[]; signal: AbortSignal }) {
    this.#api = options.api
    this.#storage = options.storage
    this.#nodes = options.nodes
    this.#signal = options.signal
  }

  async start(): Promise<void> {
    const pods = this.#nodes.map(instanceManager)
    const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    await applyManifests(this.#api, [space, ...pods], this.#signal)
    this.#storage.onAttachments(reconciler('longhorn', this.#signal, () => this.#settle()))
    await this.#settle()
  }

  /** One look at each node: a budget where volumes are, none where they are not. */
  async #settle(): Promise<void> {
    for (const node of this.#nodes) {
      const path = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`
      if (this.#storage.attachedTo(node).length > 0) await this.#api.apply(`${path}/${nameOn(node)}`, budget(node))
      else await this.#api.delete(`${path}/${nameOn(node)}`).catch(ignoreMissing)
    }
  }
}

const nameOn = (node: string): string => `instance-manager-${node}`

const labels = (node: string) => ({ 'longhorn.io/component': 'instance-manager', 'longhorn.io/node': node })

/** One replica that is tied to its node: it leaves when it is evicted, and waits until the node takes pods again. */
const instanceManager = (node: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: nameOn(node), namespace },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels(node) },
    template: {
      metadata: { labels: labels(node) },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': node },
        containers: [{ name: 'instance-manager', image: 'longhornio/longhorn-instance-manager:v1.10.1' }],
      },
    },
  },
})

const budget = (node: string): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: nameOn(node), namespace },
  spec: { minAvailable: 1, selector: { matchLabels: labels(node) } },
})
