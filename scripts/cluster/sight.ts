import { setTimeout as pauseFor } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Result } from '../../workflows/model/failure.ts'
import type { KubeNode, KubePod } from '../../workflows/model/kubernetes.ts'
import { startsFor } from '../engine/starts.ts'
import type { CallOptions, Kubernetes, Told, WatchOptions } from './kubernetes.ts'

/**
 * Kubernetes as streams tell it, for those who wait: a look starts no process. Nothing is begun on the strength of it; what has to
 * be known is read.
 */
export type Sight = Pick<Kubernetes, 'nodes' | 'podsOn'>

/** How long a stream is believed that says nothing, and how long none is opened after one that said nothing at all, or after `CUTS`. */
const BELIEVED_MS = 15_000

/** Streams in a row that broke before they could be believed for long: something cuts all of them, so that reads have to do. */
const CUTS = 2

/** A stream that has not begun to tell within so long is not waited for. */
const BEGINS_MS = 2_000

/** A stream that has begun to tell what is there is heard out until it pauses for so long. */
const PAUSES_MS = 100

/** Streams are opened as soon as somebody looks, and end with `ends`. */
export function openSight(kubernetes: Kubernetes, ends: AbortSignal, elapsed = () => performance.now()): Sight {
  const clock = { elapsed, ends }
  const nodes = createMemory<KubeNode>(kubernetes.watchNodes, ({ name }) => name, clock)
  const pods = createMemory<KubePod>(kubernetes.watchPods, ({ namespace, name }) => `${namespace}/${name}`, clock)
  return {
    nodes: (options) => nodes(options, kubernetes.nodes),
    podsOn: (name, options) =>
      pods(
        options,
        (how) => kubernetes.podsOn(name, how),
        ({ node }) => node === name,
      ),
  }
}

const NEVER = Number.NEGATIVE_INFINITY

type Look<Item> = (
  options: CallOptions,
  read: (options: CallOptions) => Promise<Result<Item[]>>,
  fits?: (item: Item) => boolean,
) => Promise<Result<Item[]>>

type Stream<Item> = { told: Map<string, Item>; saidAt: number; begun: Promise<unknown>; close: () => void }

/** What one stream told. Where it is silent that is held against a read, and where they differ another one is opened. */
function createMemory<Item>(
  watch: (told: (told: Told<Item>) => void, options: WatchOptions) => Promise<void>,
  keyOf: (item: Item) => string,
  { elapsed, ends }: { elapsed: () => number; ends: AbortSignal },
): Look<Item> {
  let stream: Stream<Item> | undefined
  let notBefore = NEVER
  let cuts = 0

  const open = (avoid: string | undefined): Stream<Item> => {
    const told = new Map<string, Item>()
    const openedAt = elapsed()
    const closed = new AbortController()
    let pauses = () => {}
    let timer: NodeJS.Timeout | undefined
    const begun = new Promise<void>((resolve) => {
      pauses = resolve
    })
    const own: Stream<Item> = { told, saidAt: NEVER, begun, close: () => closed.abort() }
    const hear = ({ gone, item }: Told<Item>) => {
      if (gone) told.delete(keyOf(item))
      else told.set(keyOf(item), item)
      own.saidAt = elapsed()
      clearTimeout(timer)
      timer = setTimeout(pauses, PAUSES_MS)
    }
    const signal = AbortSignal.any([ends, closed.signal])
    const options = { signal, ...(avoid !== undefined && { avoid }) }
    const over = () => {
      clearTimeout(timer)
      pauses()
      if (stream === own) stream = undefined
      cuts = signal.aborted || elapsed() - openedAt >= BELIEVED_MS ? 0 : cuts + 1
      if (told.size === 0 || cuts >= CUTS) notBefore = elapsed() + BELIEVED_MS
    }
    // nobody waits for it: whatever ends it, reads take its place
    void startsFor({ of: 'sight' }, () => watch(hear, options)).then(over, over)
    return own
  }

  return async (options, read, fits = () => true) => {
    if (!stream && elapsed() >= notBefore && !ends.aborted) stream = open(options.avoid)
    const own = stream
    if (own?.saidAt === NEVER) {
      const { signal } = options
      await Promise.race([own.begun, pauseFor(BEGINS_MS, undefined, { ...(signal && { signal }) }).catch(() => {})])
    }
    const known = () => [...(own?.told.values() ?? [])].filter(fits)
    if (own && own === stream && elapsed() - own.saidAt < BELIEVED_MS) return { ok: true, value: known() }
    const found = await read(options)
    if (!found.ok || own === undefined || own !== stream) return found
    const sorted = (items: readonly Item[]) => new Map(items.map((item) => [keyOf(item), item]))
    if (isDeepStrictEqual(sorted(found.value), sorted(known()))) own.saidAt = elapsed()
    else own.close()
    return found
  }
}
