import { setTimeout } from 'node:timers/promises'
import { type ApiClient, KubeError, type KubeObject } from './api-client.ts'

const againMs = 200

export type Change = 'there' | 'gone'

/**
 * Follows every object of a kind: what is there is told first, then each change, through restarts of the watch. What was
 * deleted while nobody watched is told as gone.
 */
export class Informer {
  readonly #api: ApiClient
  readonly #path: string
  readonly #objects = new Map<string, KubeObject>()
  readonly #listeners = new Set<(change: Change, object: KubeObject) => void>()

  constructor(api: ApiClient, path: string) {
    this.#api = api
    this.#path = path
  }

  all(): KubeObject[] {
    return [...this.#objects.values()]
  }

  find(name: string, namespace?: string): KubeObject | undefined {
    return this.#objects.get(namespace === undefined ? name : `${namespace}/${name}`)
  }

  /** Told of each change from now on. */
  on(listener: (change: Change, object: KubeObject) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Follows until the signal aborts; resolves when the first list is there. */
  start(signal: AbortSignal): Promise<void> {
    return new Promise((listed) => {
      void this.#follow(signal, listed)
    })
  }

  async #follow(signal: AbortSignal, listed: () => void): Promise<void> {
    let version: string | undefined
    while (!signal.aborted) {
      try {
        version ??= await this.#list()
        listed()
        const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${version}`
        await this.#api.watch(
          `${this.#path}?${query}`,
          ({ type, object }) => {
            if (type === 'ERROR') {
              version = undefined
              return
            }
            if (version !== undefined) version = object.metadata.resourceVersion
            if (type === 'BOOKMARK') return
            this.#note(type === 'DELETED' ? 'gone' : 'there', object)
          },
          signal,
        )
      } catch (error) {
        if (error instanceof KubeError) version = undefined
        await setTimeout(againMs, undefined, { signal }).catch(() => undefined)
      }
    }
    listed()
  }

  async #list(): Promise<string> {
    const list = await this.#api.get<{ items?: KubeObject[]; metadata: { resourceVersion: string } }>(this.#path)
    const items = list.items ?? []
    const keys = new Set(items.map(keyOf))
    for (const [key, object] of this.#objects) if (!keys.has(key)) this.#note('gone', object)
    for (const object of items) this.#note('there', object)
    return list.metadata.resourceVersion
  }

  #note(change: Change, object: KubeObject): void {
    if (change === 'gone') this.#objects.delete(keyOf(object))
    else this.#objects.set(keyOf(object), object)
    for (const listener of [...this.#listeners]) listener(change, object)
  }
}

const keyOf = ({ metadata: { name, namespace } }: KubeObject): string =>
  namespace === undefined ? name : `${namespace}/${name}`
