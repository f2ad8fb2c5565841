/** What steps may ask of Kubernetes, in the field's words. `createKubernetes` answers with the real kubectl. */
import type { DrainPolicy, Gate } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { ForeignMap } from '../../workflows/model/foreign-json.ts'
import type {
  CordonMark,
  Denied,
  EvictionTrial,
  GateTrial,
  InstallMark,
  KubeNode,
  KubePod,
  KubernetesRead,
  Right,
  VolumeAttachment,
} from '../../workflows/model/kubernetes.ts'
import { never } from '../engine/never.ts'
import type { Command, CommandResult, Run, RunOptions } from '../run.ts'
import { isDone } from '../tools/ended.ts'
import { eventOf } from '../tools/kubectl/event-of.ts'
import { failureOfKubectl, refusalOf } from '../tools/kubectl/failure-of-kubectl.ts'
import { objectsOf, readAttachment, readKubernetes, readNode, readPod } from '../tools/kubectl/read-kubernetes.ts'
import { type KubeTarget, kubectlCommands } from '../tools/kubectl.ts'

export type CallOptions = {
  signal?: AbortSignal | undefined
  timeoutMs: number
  /** file for the pid of the command; how a later run finds an orphan */
  processFile?: string | undefined
  /** address of a node that is about to go down, or was: its own API server is asked last */
  avoid?: string
}

/** A change that is guarded by the version that was read: `conflict` means that somebody else was quicker. */
export type Guarded = Result<'done' | 'conflict' | 'gone'>

/** What a stream tells of an object: how it is now, or how it was when it went. */
export type Told<Item> = { gone: boolean; item: Item }

export type WatchOptions = Pick<CallOptions, 'avoid'> & { signal: AbortSignal }

/** The Lease as it was read: whatever is in it, and the version that guards a change. */
export type LeaseObject = {
  metadata: { name: string; namespace: string; resourceVersion?: string; annotations?: Record<string, string> }
  spec: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    acquireTime?: string
    renewTime?: string
    leaseTransitions?: number
  }
}

/** None of these rejects, but for an abort of the signal where it says so. */
export interface Kubernetes {
  /** Everything that a drain and its forecast look at; it does not tell whose cordon a mark stands beside. */
  read(options: CallOptions): Promise<Result<KubernetesRead>>
  nodes(options: CallOptions): Promise<Result<KubeNode[]>>
  /** Volumes that are attached, without the claims that they are for. */
  attachments(options: CallOptions): Promise<Result<VolumeAttachment[]>>
  node(name: string, options: CallOptions): Promise<Result<KubeNode | undefined>>
  podsOn(name: string, options: CallOptions): Promise<Result<KubePod[]>>
  /** Streams all Nodes, each as it is now and then at each change, until the stream breaks or the signal aborts. */
  watchNodes(told: (told: Told<KubeNode>) => void, options: WatchOptions): Promise<void>
  /** The same of the pods of all nodes. */
  watchPods(told: (told: Told<KubePod>) => void, options: WatchOptions): Promise<void>
  /** Has the API server judge an eviction without carrying it out. */
  tryEviction(pod: { namespace: string; name: string }, options: CallOptions): Promise<Result<EvictionTrial>>
  /** What time it is at the API server (ISO), and which of these rights the kubeconfig lacks. */
  review(rights: readonly Right[], options: CallOptions): Promise<Result<{ now: string; denied: Denied[] }>>
  /** Looks once how a gate stands. */
  tryGate(gate: Gate, options: CallOptions): Promise<Result<GateTrial>>
  waitForGate(gate: Gate, options: CallOptions): Promise<Result<void>>
  cordon(node: KubeNode, mark: CordonMark, options: CallOptions): Promise<Guarded>
  uncordon(node: KubeNode, options: CallOptions): Promise<Guarded>
  /** Takes a mark away that outlived its cordon. */
  unmark(node: KubeNode, options: CallOptions): Promise<Guarded>
  /** Tells on the Node that its other slot is being written, and under which boot. */
  noteInstall(name: string, mark: InstallMark, options: CallOptions): Promise<Result<void>>
  /** Evicts what a drain evicts; `say` hears each pod that blocks, in kubectl's words; `hanging` pods are not waited for. */
  drain(
    name: string,
    how: {
      policy: DrainPolicy
      podSelector?: string
      hanging?: boolean
      timeoutMs: number
      say: (pod: string, why: string) => void
    },
    options: CallOptions,
  ): Promise<Result<void>>
  readLease(options: CallOptions): Promise<Result<LeaseObject | undefined>>
  createLease(lease: LeaseObject, options: CallOptions): Promise<Result<LeaseObject | 'conflict'>>
  replaceLease(lease: LeaseObject, options: CallOptions): Promise<Result<LeaseObject | 'conflict'>>
  deleteLease(guard: { resourceVersion: string }, options: CallOptions): Promise<Guarded>
}

/** How kubectl gets at the API. */
export type KubernetesAccess = {
  /** path of a kubeconfig; `refused` says that the last one was not taken, so that a new one may help */
  kubeconfig: (why: { refused: boolean; signal?: AbortSignal | undefined }) => Promise<Result<string>>
  /** API servers by address, best first; the server of the kubeconfig is asked after them */
  servers: readonly ApiServer[]
  /** whether its port takes a connection */
  knocks: (server: ApiServer, signal: AbortSignal) => Promise<boolean>
  cacheDir: string
}

export type ApiServer = { address: string; url: string }

/** Kubernetes by way of kubectl, through whichever API server answers. */
export function createKubernetes(run: Run, access: KubernetesAccess): Kubernetes {
  /** the server that answered last; undefined is the one of the kubeconfig */
  let last: { url: string | undefined } | undefined

  const serversFor = (avoid: string | undefined): (ApiServer | undefined)[] => {
    const all = [...access.servers.filter(({ address }) => address !== avoid), undefined]
    const known = last ? all.findIndex((server) => server?.url === last?.url) : -1
    const first = known < 0 ? [] : all.splice(known, 1)
    return [...first, ...all, ...access.servers.filter(({ address }) => address === avoid)]
  }

  /**
   * The ways to the API, one after another. What takes no connection comes last: a port behind a firewall would use up the
   * time of those that can be reached. Nobody knocks at the server of the kubeconfig, which may be behind a proxy.
   */
  async function* waysTo(avoid: string | undefined, signal: AbortSignal): AsyncGenerator<ApiServer | undefined> {
    const isOpen = async (server: ApiServer | undefined) => server === undefined || access.knocks(server, signal)
    const [first, ...rest] = serversFor(avoid)
    const isFirstOpen = await isOpen(first)
    if (isFirstOpen) yield first
    const open = await Promise.all(rest.map(isOpen))
    yield* rest.filter((_, index) => open[index])
    if (!isFirstOpen) yield first
    yield* rest.filter((_, index) => !open[index])
  }

  /**
   * Sends the command to one server after another until one answers; one that does not take the kubeconfig, or that the
   * kubeconfig does not know, leaves it to the next. That a silent one may have carried it out does no harm: every change is
   * guarded by a version, or does nothing the second time.
   */
  const send = async (
    build: (at: KubeTarget) => Command,
    options: CallOptions,
    more: Pick<RunOptions, 'onLine' | 'onErrorLine'> = {},
    refusedBefore = false,
  ): Promise<Result<CommandResult>> => {
    const { timeoutMs, avoid, ...limits } = options
    const deadline = performance.now() + timeoutMs
    const config = await access.kubeconfig({ refused: refusedBefore, signal: limits.signal })
    if (!config.ok) return config
    let answer: CommandResult | undefined
    let refused: CommandResult | undefined
    let own: CommandResult | undefined
    for await (const server of waysTo(avoid, limits.signal ?? never)) {
      const leftMs = deadline - performance.now()
      if (answer && leftMs <= 0) break
      const command = build({
        kubeconfig: config.value,
        server: server?.url,
        cacheDir: access.cacheDir,
        timeoutMs: Math.max(1, leftMs),
      })
      answer = await run(command, { ...limits, ...more })
      const reason = isDone(answer) || answer.ended.by === 'abort' ? undefined : failureOfKubectl(answer).reason
      if (server === undefined) own = answer
      if (reason === 'kubeconfig-unusable') refused = answer
      else if (reason !== 'kubernetes-unreachable') {
        if (answer.ended.by !== 'abort') last = { url: server?.url }
        return { ok: true, value: answer }
      }
    }
    if (!answer || !refused) return answer ? { ok: true, value: answer } : { ok: false, failure: silence }
    if (refusedBefore) return { ok: true, value: refused }
    const renewed = await send(build, { ...options, timeoutMs: deadline - performance.now() }, more, true)
    if (renewed.ok || renewed.failure.reason !== 'kubeconfig-unusable') return renewed
    // strangers that the kubeconfig was not made for refuse it, too: what its own server says is what counts
    const { reason, detail } = failureOfKubectl(own ?? refused)
    if (reason !== 'kubeconfig-unusable') return { ok: true, value: own ?? refused }
    return { ok: false, failure: { ...renewed.failure, detail: `${renewed.failure.detail}: ${detail}` } }
  }

  /** The answer where the command went well, else why not; `names` are refusals that the caller takes for answers. */
  const ask = async <Name extends string = never>(
    build: (at: KubeTarget) => Command,
    options: CallOptions,
    names: readonly Name[] = [],
  ): Promise<Result<CommandResult | Name>> => {
    const sent = await send(build, options)
    if (!sent.ok) return sent
    if (isDone(sent.value)) return sent
    const refusal = refusalOf(sent.value)
    const known = names.find((name) => name === refusal)
    return known === undefined ? { ok: false, failure: failureOfKubectl(sent.value) } : { ok: true, value: known }
  }

  const objects = async (build: (at: KubeTarget) => Command, options: CallOptions) => {
    const answer = await ask(build, options)
    if (!answer.ok) return answer
    const { stdout } = answer.value
    const found = stdout.trim() === '' ? [] : objectsOf(stdout)
    return found ? { ok: true as const, value: found } : { ok: false as const, failure: unread }
  }

  const stream =
    <Item>(build: (at: KubeTarget) => Command, read: (object: ForeignMap) => Item) =>
    async (told: (told: Told<Item>) => void, { signal, avoid }: WatchOptions): Promise<void> => {
      const broke = new AbortController()
      let hasTold = false
      const onLine = (line: string) => {
        const event = eventOf(line)
        if (!event) return
        hasTold = true
        told({ gone: event.gone, item: read(event.object) })
      }
      // of what went between one stream and the next nobody tells
      const once = (at: KubeTarget) => {
        if (hasTold) broke.abort()
        return build(at)
      }
      const limits = { signal: AbortSignal.any([signal, broke.signal]), timeoutMs: DAY_MS }
      await send(once, { ...limits, ...(avoid !== undefined && { avoid }) }, { onLine })
    }

  /** `shows` tells from the answer whether the change is in the object: what took it away again was quicker, too. */
  const guarded = async (
    build: (at: KubeTarget) => Command,
    options: CallOptions,
    shows: (stdout: string) => boolean = () => true,
  ): Promise<Guarded> => {
    const answer = await ask(build, options, ['Conflict', 'NotFound'])
    if (!answer.ok) return answer
    if (answer.value === 'NotFound') return { ok: true, value: 'gone' }
    const isDone = answer.value !== 'Conflict' && shows(answer.value.stdout)
    return { ok: true, value: isDone ? 'done' : 'conflict' }
  }

  const lease = async (
    build: (at: KubeTarget) => Command,
    options: CallOptions,
  ): Promise<Result<LeaseObject | 'conflict'>> => {
    // whoever deleted it between our look and our change was quicker, too
    const answer = await ask(build, options, ['Conflict', 'AlreadyExists', 'NotFound'])
    if (!answer.ok) return answer
    if (typeof answer.value === 'string') return { ok: true, value: 'conflict' }
    const object = leaseIn(answer.value.stdout)
    return object ? { ok: true, value: object } : { ok: false, failure: unread }
  }

  return {
    async read(options) {
      const found = await objects(kubectlCommands.read, options)
      return found.ok ? { ok: true, value: readKubernetes(found.value) } : found
    },
    async nodes(options) {
      const found = await objects(kubectlCommands.nodes, options)
      return found.ok ? { ok: true, value: found.value.map(readNode) } : found
    },
    async attachments(options) {
      const found = await objects(kubectlCommands.attachments, options)
      return found.ok ? { ok: true, value: found.value.map((object) => readAttachment(object)) } : found
    },
    async node(name, options) {
      const found = await objects((at) => kubectlCommands.node(at, name), options)
      if (!found.ok) return found
      const [node] = found.value
      return { ok: true, value: node && readNode(node) }
    },
    async podsOn(name, options) {
      const found = await objects((at) => kubectlCommands.podsOn(at, name), options)
      return found.ok ? { ok: true, value: found.value.map(readPod) } : found
    },
    watchNodes: stream(kubectlCommands.watchNodes, readNode),
    watchPods: stream(kubectlCommands.watchPods, readPod),
    async tryEviction(pod, options) {
      const sent = await send((at) => kubectlCommands.tryEviction(at, pod), options)
      if (!sent.ok) return sent
      const refusal = refusalOf(sent.value)
      if (isDone(sent.value) || refusal === 'NotFound') return { ok: true, value: { allowed: true, detail: '' } }
      const why = failureOfKubectl(sent.value)
      const isAnswer = refusal === 'TooManyRequests' || refusal === 'InternalError'
      return isAnswer ? { ok: true, value: { allowed: false, detail: why.detail ?? '' } } : { ok: false, failure: why }
    },
    async review(rights, options) {
      const answer = await ask((at) => kubectlCommands.review(at, rights), options)
      if (!answer.ok) return answer
      const [who = '', ...allowed] = answer.value.stdout.trimEnd().split('\n')
      const [, now = '', user = ''] = /^(\S+) (.*)$/.exec(who) ?? []
      if (allowed.length !== rights.length || Number.isNaN(Date.parse(now))) return { ok: false, failure: unread }
      const denied = rights.flatMap((right, at) => (allowed[at]?.trim() === 'true' ? [] : [{ ...right, user }]))
      return { ok: true, value: { now, denied } }
    },
    async tryGate(gate, options) {
      const sent = await send((at) => kubectlCommands.wait(at, gate, 0), options)
      if (!sent.ok) return sent
      if (isDone(sent.value)) return { ok: true, value: { gate: gate.name, state: 'met', detail: '' } }
      const why = failureOfKubectl(sent.value)
      if (why.reason !== 'command-failed') return { ok: false, failure: why }
      const state = /condition not met for/.test(sent.value.stderr + sent.value.stdout) ? 'unmet' : 'wrong'
      return { ok: true, value: { gate: gate.name, state, detail: why.detail ?? '' } }
    },
    async waitForGate(gate, options) {
      const sent = await send((at) => kubectlCommands.wait(at, gate, options.timeoutMs), {
        ...options,
        timeoutMs: options.timeoutMs + SLACK_MS,
      })
      if (!sent.ok) return sent
      if (isDone(sent.value)) return { ok: true, value: undefined }
      return { ok: false, failure: failureOfKubectl(sent.value) }
    },
    cordon: (node, mark, options) =>
      guarded(
        (at) => kubectlCommands.cordon(at, node.name, node, mark),
        options,
        (shown) => shown.trim() === 'true',
      ),
    uncordon: (node, options) =>
      guarded(
        (at) => kubectlCommands.uncordon(at, node.name, node),
        options,
        (shown) => shown.trim() !== 'true',
      ),
    unmark: (node, options) => guarded((at) => kubectlCommands.unmark(at, node.name, node), options),
    async noteInstall(name, mark, options) {
      const answer = await ask((at) => kubectlCommands.noteInstall(at, name, mark), options)
      return answer.ok ? { ok: true, value: undefined } : answer
    },
    async drain(name, { say, ...how }, options) {
      const sent = await send((at) => kubectlCommands.drain(at, name, how), options, {
        onErrorLine: (line) => {
          for (const { pod, why } of blockedPods(line)) say(pod, why)
        },
      })
      if (!sent.ok) return sent
      if (isDone(sent.value)) return { ok: true, value: undefined }
      return { ok: false, failure: failureOfKubectl(sent.value, 'drain-blocked') }
    },
    async readLease(options) {
      const answer = await ask(kubectlCommands.readLease, options)
      if (!answer.ok) return answer
      const { stdout } = answer.value
      if (stdout.trim() === '') return { ok: true, value: undefined }
      const object = leaseIn(stdout)
      return object ? { ok: true, value: object } : { ok: false, failure: unread }
    },
    createLease: (object, options) => lease((at) => kubectlCommands.createLease(at, withKind(object)), options),
    replaceLease: (object, options) => lease((at) => kubectlCommands.replaceLease(at, withKind(object)), options),
    deleteLease: (guard, options) => guarded((at) => kubectlCommands.deleteLease(at, guard), options),
  }
}

const silence = failure('kubernetes-unreachable')
const unread = failure('garbage-answer', { detail: 'the answer of kubectl can not be read' })

/** no stream of an API server lasts as long */
const DAY_MS = 24 * 3600 * 1000

/** kubectl ends by itself at its own timeout; this is how much later it is ended. */
const SLACK_MS = 5_000

/** The Lease in an answer of kubectl; undefined where it is none. One that was made by hand may say nothing. */
function leaseIn(json: string): LeaseObject | undefined {
  const [{ metadata, spec = {} } = {}] = objectsOf(json) ?? []
  const isWhole = [metadata, spec].every((part) => typeof part === 'object' && part !== null)
  return isWhole ? ({ metadata, spec } as LeaseObject) : undefined
}

const withKind = (lease: LeaseObject) => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease })

/**
 * The pods in a line like `error when evicting pods/"web-0" -n "shop" (will retry after 5s): Cannot evict pod …`, or in the
 * last one, which names all that were not retried. That a timeout passed is no reason.
 */
const blockedPods = (line: string): { pod: string; why: string }[] =>
  line.split(/(?=error when )/).flatMap((part) => {
    const [, name, namespace, why] =
      /^error when \w+ pods?[/ ]"([^"]+)" (?:-n|from terminating namespace) "([^"]+)"[^:]*: (.+?)(?:, |\], continuing command.*|, continuing command.*)?$/.exec(
        part,
      ) ?? []
    return why === undefined || why.startsWith('global timeout reached') ? [] : [{ pod: `${namespace}/${name}`, why }]
  })
