import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { goesBy } from '../../../workflows/model/goes-by.ts'
import { parseAddress } from '../../../workflows/model/parse-address.ts'
import type { Doorbell } from '../../cluster/greet.ts'
import type { Knock } from '../../cluster/knock.ts'
import { never } from '../../engine/never.ts'
import { hostOf, portOf } from './talosconfig.ts'

/** How long a knock is believed. What goes down is told by the next question, what was silent may be back in a moment. */
const BELIEVED_MS = { answered: 10_000, silent: 200 }

/** How long the addresses of a host name are believed, also where it has none. */
const RESOLVED_FOR_MS = 30_000

/** How long a word of a node, and its silence, are remembered: the questions of one look, and those of the next. */
const REMEMBERED_MS = { heard: 10_000, silent: 60_000 }

/** How long an endpoint that was silent while another one answered is asked last. */
const DEAF_FOR_MS = 30_000

export type WaysConfig = {
  /** those of the talosconfig, or the control planes: host names or addresses, some with a port */
  endpoints: readonly string[]
  /** what is declared: its control planes are endpoints, too, where they answer a knock */
  nodes?: readonly NodeDeclaration[]
  knock: Knock
  /** whether a machine waits for its configuration */
  waitsInMaintenance?: Knock
  /** addresses of a host name; none where it has none */
  resolve: (host: string) => Promise<readonly string[]>
}

/**
 * The ways to a node: its own address, and the endpoints. A knock only sorts them: whoever answers it is asked directly, all
 * others through an endpoint that does. What a question found out is remembered, so that the next one goes that way at once.
 */
export type Ways = {
  /** The ways to ask one node, best first; `direct` where it answers a knock itself. */
  toAsk: (node: string) => Promise<{ through: string[]; direct: boolean }>
  /** The ways to change one node: others first, since it may cut itself off. */
  toChange: (node: string) => Promise<string[]>
  /** The endpoints for calls about many nodes, best first. */
  forMany: () => Promise<string[]>
  /** Whether the node is known to be there, so that a call about many is not held up by it. */
  isSure: (node: string) => Promise<boolean>
  /** Whether calls about many may go through it. */
  isEndpoint: (node: string) => boolean
  /** Whether it waits for its configuration, and so is a stranger to the cluster. */
  isInMaintenance: (node: string) => Promise<boolean>
  /** Whether the endpoint is of the cluster: it answered, or somebody through it. */
  leads: (endpoint: string) => boolean
  /** It answered through that endpoint. */
  worked: (node: string, endpoint: string) => void
  /** It did not answer by any way: with a refusal, or `silently`. */
  failed: (node: string, silently: boolean) => void
  /** It has to be asked alone: as an endpoint it is asked last, until it answers. */
  doubted: (node: string) => void
  /** It answered a moment ago. */
  wasHeard: (node: string) => boolean
  /** It was silent by every way, and was not heard since: it would hold up a question about many. */
  wasSilent: (node: string) => boolean
  /** The endpoint was silent, or not there, while another way worked. */
  deaf: (endpoint: string) => void
}

export function createWays({ endpoints, nodes = [], knock, waitsInMaintenance, resolve }: WaysConfig): Ways {
  const deafUntil = new Map<string, number>()
  const knocks = new Map<string, { answers: Promise<boolean>; until: number; did?: boolean }>()
  const names = new Map<string, { addresses: Promise<readonly string[]>; until: number }>()
  /** nodes that answered through an endpoint, and no knock */
  const behind = new Set<string>()
  /** endpoints and nodes that answered, and so are of the cluster */
  const known = new Set<string>()
  const heardUntil = new Map<string, number>()
  const silentUntil = new Map<string, number>()

  const candidates = [
    ...endpoints,
    ...nodes
      .filter((node) => node.role === 'controlplane' && !endpoints.some((other) => goesBy(node, hostOf(other))))
      .map(({ address }) => address),
  ]
  const order = (all: readonly string[]): string[] => {
    const isDeaf = (endpoint: string) => (deafUntil.get(endpoint) ?? 0) > performance.now()
    return [...all.filter((endpoint) => !isDeaf(endpoint)), ...all.filter(isDeaf)]
  }

  const answers = (endpoint: string): Promise<boolean> => {
    const known = knocks.get(endpoint)
    if (known && known.until > performance.now()) return known.answers
    const asked = knock(doorbell(endpoint), never)
    knocks.set(endpoint, { answers: asked, until: Number.POSITIVE_INFINITY })
    void asked.then((did) => {
      const until = performance.now() + (did ? BELIEVED_MS.answered : BELIEVED_MS.silent)
      knocks.set(endpoint, { answers: asked, until, did })
    })
    return asked
  }
  const answering = async (all: readonly string[]): Promise<string[]> => {
    const did = await Promise.all(all.map(answers))
    return all.filter((_, index) => did[index])
  }

  /** Whether an endpoint leads to that very node, by whatever name: then it goes down with it. */
  const isItself = async (endpoint: string, node: string): Promise<boolean> => {
    const host = hostOf(endpoint)
    const declared = nodes.find(({ address }) => address === node)
    const leadsTo = (word: string): boolean => word === node || (declared !== undefined && goesBy(declared, word))
    if (leadsTo(host)) return true
    if (parseAddress(host) !== undefined) return false
    let known = names.get(host)
    if (!known || known.until < performance.now()) {
      known = { addresses: resolve(host), until: performance.now() + RESOLVED_FOR_MS }
      names.set(host, known)
    }
    return (await known.addresses).some(leadsTo)
  }

  const sort = async (node: string) => {
    const same = await Promise.all(candidates.map((endpoint) => isItself(endpoint, node)))
    const selves = [...new Set([node, ...candidates.filter((_, index) => same[index])])]
    const others = candidates.filter((_, index) => !same[index])
    const [near, open] = await Promise.all([behind.has(node) ? ([] as string[]) : answering(selves), answering(others)])
    return {
      direct: near.length > 0,
      open: open.length > 0,
      selves: [...near, ...selves.filter((one) => !near.includes(one))],
      others: order(open.length > 0 ? open : others),
    }
  }

  const deaf = (endpoint: string): void => {
    knocks.delete(endpoint)
    deafUntil.set(endpoint, performance.now() + DEAF_FOR_MS)
  }

  const isEndpoint = (node: string): boolean => candidates.some((endpoint) => hostOf(endpoint) === node)

  return {
    isEndpoint,
    toAsk: async (node) => {
      const { direct, open, selves, others } = await sort(node)
      if (direct) return { direct, through: order([...selves, ...(open ? others : [])]) }
      // where no knock is heard at all, there may be a proxy that talosctl knows of
      return { direct, through: open ? others : [...others, ...selves] }
    },
    toChange: async (node) => {
      const { direct, open, selves, others } = await sort(node)
      return [...(open || !direct ? others : []), ...selves]
    },
    forMany: async () => {
      const open = await answering(candidates)
      return order(open.length > 0 ? open : candidates)
    },
    isInMaintenance: async (node) => (await waitsInMaintenance?.(doorbell(node), never)) === true,
    isSure: async (node) => behind.has(node) || answers(node),
    doubted: (node) => {
      for (const endpoint of candidates) if (hostOf(endpoint) === node) deaf(endpoint)
    },
    wasHeard: (node) => (heardUntil.get(node) ?? 0) > performance.now(),
    wasSilent: (node) => (silentUntil.get(node) ?? 0) > performance.now(),
    leads: (endpoint) => known.has(endpoint) || known.has(hostOf(endpoint)),
    worked: (node, endpoint) => {
      known.add(endpoint).add(node)
      deafUntil.delete(endpoint)
      silentUntil.delete(node)
      heardUntil.set(node, performance.now() + REMEMBERED_MS.heard)
      if (hostOf(endpoint) === node) behind.delete(node)
      else if (knocks.get(node)?.did === false) behind.add(node)
    },
    failed: (node, silently) => {
      heardUntil.delete(node)
      if (silently) silentUntil.set(node, performance.now() + REMEMBERED_MS.silent)
      behind.delete(node)
      knocks.delete(node)
    },
    deaf,
  }
}

/** Where an endpoint listens: `10.0.0.1`, `10.0.0.1:50000`, `[fd00::1]:50000`. */
function doorbell(endpoint: string): Doorbell {
  const port = portOf(endpoint)
  return { address: hostOf(endpoint), ...(port === undefined ? {} : { port: Number(port) }) }
}
