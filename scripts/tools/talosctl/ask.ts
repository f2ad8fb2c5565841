import type { Command, CommandResult, Run, RunOptions } from '../../run.ts'
import type { Target } from '../talosctl.ts'
import { neverArrived } from './failure-of.ts'
import { nodeErrors } from './node-errors.ts'
import { hostOf } from './talosconfig.ts'

/** Processes of ours at once; a machine with two cores starts a talosctl in 0.03–0.12 s of its time. */
const AT_ONCE = 8

/** The longest that a call about many nodes may take. */
const PATIENCE_MS = 5000

/** How long an endpoint that let a deadline pass is asked last. */
const DEAF_FOR_MS = 30_000

export type AskOptions = RunOptions & { deadlineAt: number }

type Build = (at: Target) => Command

/** Asks nodes through endpoints that work. Answers are results of commands; nothing rejects. */
export type Ask = {
  /** The endpoints to go through, best first; those that have lately let a deadline pass come last. */
  endpoints: (node?: string) => { othersFirst: string[]; selfFirst: string[] }
  /**
   * One call about many nodes, that only reads, through the first endpoint that can be reached. One silent node holds up
   * the rest, so it is given up after a third of the time that is left, and 5 s at most.
   */
  many: (nodes: readonly string[], build: Build, through: readonly string[], options: AskOptions) => Promise<Answer>
  /**
   * One call about one node, that only reads: the next endpoint is asked when one can not be reached, or can not reach
   * the node (an apid believes for up to 15 s that a node which returned is still down), or is silent for its share.
   */
  one: (node: string, build: Build, through: readonly string[], options: AskOptions) => Promise<Answer>
  /** One call that changes something: sent again through the next endpoint only where it certainly never arrived. */
  change: (node: string, build: Build, through: readonly string[], options: AskOptions) => Promise<Answer>
}

export type Answer = CommandResult & { endpoint: string }

/** `endpoints` are those of the talosconfig, or the control planes. */
export function createAsk(run: Run, config: { talosconfig: string; endpoints: readonly string[] }): Ask {
  const deafUntil = new Map<string, number>()
  const gate = createGate(AT_ONCE)

  const send = async (
    nodes: readonly string[],
    endpoint: string,
    build: Build,
    timeLeftMs: () => number,
    options: RunOptions,
  ) => {
    const { talosconfig } = config
    const timeoutMs = timeLeftMs()
    const result = await run(build({ talosconfig, endpoint, nodes, timeoutMs: Math.max(1, timeoutMs) }), options)
    return { ...result, endpoint }
  }

  // Only what reads waits for its turn (a pull may take minutes), and that is on its own time.
  const read: typeof send = (...call) => gate(() => send(...call))

  const isDeaf = (endpoint: string): boolean => (deafUntil.get(endpoint) ?? 0) > performance.now()
  const order = (endpoints: readonly string[]): string[] => [
    ...endpoints.filter((endpoint) => !isDeaf(endpoint)),
    ...endpoints.filter(isDeaf),
  ]

  const one: Ask['one'] = async (node, build, through, { deadlineAt, ...options }) => {
    let answer: Answer = UNASKED
    for (const [tried, endpoint] of through.entries()) {
      if (tried > 0 && deadlineAt <= performance.now()) break
      const next = await read([node], endpoint, build, () => share(deadlineAt, through.length - tried), options)
      if (next.timedOut) deafUntil.set(endpoint, performance.now() + DEAF_FOR_MS)
      else if (!neverArrived(next)) deafUntil.delete(endpoint)
      // What the node or its way said is worth more than another endpoint's silence.
      if (tried === 0 || !next.timedOut) answer = next
      if (next.aborted || !(next.timedOut || neverArrived(next))) break
      // A stranger at the node's own address is a stranger by any other way, too.
      if (hostOf(endpoint) === node && /authentication handshake failed/.test(next.stderr)) break
    }
    return answer
  }

  return {
    endpoints: (node) => {
      const others = order(config.endpoints.filter((endpoint) => node === undefined || hostOf(endpoint) !== node))
      const self = node === undefined ? [] : [node]
      return { othersFirst: [...others, ...self], selfFirst: order([...self, ...others]) }
    },
    many: async (nodes, build, through, { deadlineAt, ...options }) => {
      let giveUpAt: number | undefined
      // counted from when the call has its place: a wait for that says nothing about the nodes
      const timeLeftMs = () => {
        giveUpAt ??= performance.now() + Math.min(PATIENCE_MS, share(deadlineAt, 3))
        return share(giveUpAt, 1)
      }
      let answer: Answer = UNASKED
      for (const endpoint of through) {
        answer = await read(nodes, endpoint, build, timeLeftMs, options)
        // Silence may be that of a node behind the endpoint: another one would not help.
        if (!(neverArrived(answer) && isOfEndpoint(answer, nodes))) break
      }
      return answer
    },
    one,
    change: async (node, build, through, { deadlineAt, ...options }) => {
      let answer: Answer = UNASKED
      for (const endpoint of through) {
        answer = await send([node], endpoint, build, () => share(deadlineAt, 1), options)
        if (!neverArrived(answer) || answer.timedOut || options.signal?.aborted) break
      }
      return answer
    },
  }
}

/** talosctl 1.14 says of each node what is wrong with the endpoint. */
function isOfEndpoint({ stderr }: Answer, nodes: readonly string[]): boolean {
  const errors = nodeErrors(stderr)
  return errors.size === 0 || (errors.size === nodes.length && new Set(errors.values()).size === 1)
}

const share = (deadlineAt: number, of: number): number => (deadlineAt - performance.now()) / of

const UNASKED: Answer = { stdout: '', stderr: 'no endpoint to ask', timedOut: false, aborted: false, endpoint: '' }

/** Lets `size` pieces of work through at a time. */
function createGate(size: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= size) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
