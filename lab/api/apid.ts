import { isIP } from 'node:net'
import protobuf from 'protobufjs'
import { ApiError } from '../lab-node.ts'
import type { Door } from './door.ts'
import type { Machined, Origin } from './machined.ts'
import { message } from './message.ts'
import { statusOf } from './status.ts'

/** A node as apid sees it: what answers there, and the network on the way to it. */
export type Backend = { machined: Machined; door: Door }

/** The routing headers of a call. */
export type Routing = { node: readonly string[]; nodes: readonly string[] }

const one2Many =
  /^\/(machine\.MachineService|cluster\.ClusterService|inspect\.InspectService|storage\.StorageService|time\.TimeService)\//

/** Talos internal/app/apid/service.go, RegisterStreamedRegex. */
const streamed =
  /^\/machine\.MachineService\/(Copy|DiskUsage|Dmesg|EtcdSnapshot|Events|ImageList|Kubeconfig|List|Logs|PacketCapture|Read)$|^\/cluster\.ClusterService\/HealthCheck$/

/**
 * apid of one node: sends a call on to the nodes that its headers name and, for `nodes`, merges their answers
 * (internal/app/apid/pkg/director and pkg/backend).
 */
export class Apid {
  readonly #self: Backend
  readonly #backends: readonly Backend[]

  constructor(self: Backend, backends: readonly Backend[]) {
    this.#self = self
    this.#backends = backends
  }

  /** Answers one call with encoded messages; fails with an ApiError. */
  async *call(
    path: string,
    request: Uint8Array,
    { node, nodes }: Routing,
    origin: Omit<Origin, 'endpoint'>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const from = { ...origin, endpoint: this.#self.machined.node.address }
    const forward = (target: string) => this.#forward(target, path, request, from, signal)
    if (node.length > 1) throw new ApiError('INVALID_ARGUMENT', 'node metadata must be single-valued')
    if (nodes.length > 0 && !this.#isLocalOnWorker(nodes)) {
      if (!one2Many.test(path)) {
        throw new ApiError('INVALID_ARGUMENT', `one-2-many proxying is not supported for method ${path}`)
      }
      this.#checkForwarding(nodes)
      if (streamed.test(path)) yield* mergeStreams(nodes, forward)
      else yield Buffer.concat(await Promise.all(nodes.map((target) => answerOf(target, forward(target)))))
      return
    }
    const [target] = node
    if (target !== undefined && !this.#isLocalOnWorker(node)) {
      this.#checkForwarding([target])
      yield* forward(target)
      return
    }
    yield* this.#self.machined.call(path, request, from, signal)
  }

  /** A worker has no certificate to call others with; a call that names only itself it answers itself. */
  #isLocalOnWorker(targets: readonly string[]): boolean {
    const { node } = this.#self.machined
    const [target] = targets
    return node.role === 'worker' && targets.length === 1 && (target === node.address || target === node.name)
  }

  #checkForwarding(targets: readonly string[]): void {
    if (this.#self.machined.node.role === 'worker') {
      throw new ApiError('PERMISSION_DENIED', 'no request forwarding')
    }
    for (const target of targets) {
      if (target === '' || (isIP(target) !== 6 && target.includes(':'))) {
        throw new ApiError('INTERNAL', `invalid target ${JSON.stringify(target)}`)
      }
    }
  }

  async *#forward(
    target: string,
    path: string,
    request: Uint8Array,
    origin: Origin,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const backend = this.#backends.find(({ machined: { node } }) => node.address === target || node.name === target)
    if (backend === undefined) throw nobodyAt(target)
    await backend.door.passage(signal)
    const breakage = backend.door.breakage()
    try {
      const parts = backend.machined.call(path, request, origin, AbortSignal.any([signal, breakage.signal]))
      const broken = aborted(breakage.signal)
      for (;;) {
        const next = await Promise.race([parts.next(), broken])
        if (next === 'aborted' || breakage.signal.aborted) {
          // its own end is not waited for: a handler may be busy
          parts.return(undefined).catch(() => undefined)
          throw new ApiError('UNAVAILABLE', 'error reading from server: EOF')
        }
        if (next.done === true) return
        await backend.door.passage(signal)
        yield next.value
      }
    } finally {
      breakage.release()
    }
  }
}

const aborted = (signal: AbortSignal): Promise<'aborted'> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('aborted')
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true })
  })

const nobodyAt = (target: string): ApiError =>
  new ApiError(
    'UNAVAILABLE',
    isIP(target) === 0
      ? `connection error: desc = "transport: Error while dialing: dial tcp: lookup ${target} on 127.0.0.53:53: no such host"`
      : `connection error: desc = "transport: Error while dialing: dial tcp ${target}:50000: connect: connection refused"`,
  )

/** The one answer of a node with its name in it, or its error in the shape of an answer. */
async function answerOf(target: string, parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  try {
    const answers: Uint8Array[] = []
    for await (const answer of parts) answers.push(answer)
    return withHostname(target, Buffer.concat(answers))
  } catch (failure) {
    return message.encode('common.EmptyResponse', { messages: [errorOf(target, failure)] })
  }
}

/** The messages of all nodes as they come, each with its node's name appended; errors become messages. */
async function* mergeStreams(
  targets: readonly string[],
  forward: (target: string) => AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const sources = new Map(targets.map((target, index) => [index, { target, parts: forward(target) }]))
  const ask = async (index: number, parts: AsyncGenerator<Uint8Array>) => {
    try {
      return { index, next: await parts.next() }
    } catch (failure) {
      return { index, failure }
    }
  }
  const asked = new Map([...sources].map(([index, { parts }]) => [index, ask(index, parts)]))
  try {
    while (asked.size > 0) {
      const answer = await Promise.race(asked.values())
      const source = sources.get(answer.index)
      if (source === undefined) continue
      if (answer.next === undefined) {
        asked.delete(answer.index)
        yield message.encode('common.Empty', errorOf(source.target, answer.failure))
      } else if (answer.next.done === true) {
        asked.delete(answer.index)
      } else {
        asked.set(answer.index, ask(answer.index, source.parts))
        yield Buffer.concat([answer.next.value, metadataOf(source.target)])
      }
    }
  } finally {
    for (const { parts } of sources.values()) parts.return(undefined).catch(() => undefined)
  }
}

const metadataOf = (target: string): Uint8Array => message.encode('common.Empty', { metadata: { hostname: target } })

const errorOf = (target: string, failure: unknown): object => {
  const { code, name, message: text } = statusOf(failure)
  return {
    metadata: {
      hostname: target,
      error: `rpc error: code = ${name} desc = ${text}`,
      status: { code, message: text },
    },
  }
}

/** Every unary answer is `repeated … messages = 1`: field 1 of its first message takes the metadata. */
function withHostname(target: string, answer: Uint8Array): Uint8Array {
  const reader = protobuf.Reader.create(answer)
  const tag = reader.uint32()
  return protobuf.Writer.create()
    .uint32(tag)
    .bytes(Buffer.concat([reader.bytes(), metadataOf(target)]))
    .finish()
}
