import pLimit from 'p-limit'
import { onAbort } from '../../engine/on-abort.ts'
import type { Command, CommandResult, Run, RunOptions } from '../../run.ts'
import { isDone } from '../ended.ts'
import type { Target } from '../talosctl.ts'
import { neverArrived } from './failure-of.ts'
import { createGathering } from './gathering.ts'
import { nodeErrors } from './node-errors.ts'
import { createPatience, type Patience } from './patience.ts'
import { hostOf } from './talosconfig.ts'
import type { Ways } from './ways.ts'

/** Processes of ours at once; a machine with two cores starts a talosctl in 0.03–0.12 s of its time. */
const AT_ONCE = 8

/** How long a question may be silent before another way is tried beside it; real nodes under load took 4–6 s. */
const PATIENCE_MS = 5000

/** The part of all its time that a question may be silent at least, and how long that is at most. */
const LEAST_PATIENCE = { share: 20, ms: 1000 }

export type AskOptions = RunOptions & { deadlineAt: number }

/** `narrowed` is called whenever nobody is left but those who are asked alone. */
export type EachOptions = AskOptions & { narrowed?: (left: readonly string[]) => void }

type Build = (at: Target) => Command

/** Takes what it can from an answer about `asked`, and returns those about which nothing more is to be asked. */
export type Take = (asked: readonly string[], answer: Answer) => Iterable<string>

/** Asks nodes by ways that work. Answers are results of commands; nothing rejects. */
export type Ask = {
  /**
   * One question about many nodes, in as few processes as tell it: those that are known to be there in one call, the others
   * in another, both through an endpoint. A call that says nothing is cut into parts, which are asked beside it, until the
   * silent node is alone; who can not be reached through an endpoint is asked for through the next one; whose record is missing is asked
   * for once more, alone. Whoever another question finds out about at that moment is asked when that has an answer, and
   * not at all where it has none. Returns the last word about each node that `take` did not take.
   */
  each: (nodes: readonly string[], build: Build, take: Take, options: EachOptions) => Promise<Map<string, Answer>>
  /**
   * One question about one node: the next way is tried when one can not be reached, or can not reach the node (an apid
   * believes for up to 15 s that a node which returned is still down). Beside a way that is silent another one is tried,
   * and the first that answers counts, so that nobody is given up for being slow before the deadline.
   */
  one: (node: string, build: Build, options: AskOptions) => Promise<Answer>
  /** One call that changes something: sent again by the next way only where it certainly never arrived. */
  change: (node: string, build: Build, options: AskOptions) => Promise<Answer>
}

/** `slow`: the deadline passed, though the node greets who connects. `maintenance`: it waits for its configuration. */
export type Answer = CommandResult & { endpoint: string; tookMs: number; slow?: true; maintenance?: true }

/** A question about a node of which nothing was heard lately, until it is known whether the node answers. */
type Contact = { deadlineAt: number; over: Promise<Answer | undefined> }

export function createAsk(run: Run, config: { talosconfig: string }, ways: Ways): Ask {
  const gate = pLimit(AT_ONCE)
  const contacts = new Map<string, Contact>()
  /** those who are asked alone at the moment, and what looks at them again when there is one more */
  const solo = new Set<string>()
  const lookAgain = new Set<() => void>()

  const send = async (
    nodes: readonly string[],
    endpoint: string,
    build: Build,
    { deadlineAt, ...options }: AskOptions,
  ): Promise<Answer> => {
    const { talosconfig } = config
    const sentAt = performance.now()
    const timeoutMs = Math.max(1, deadlineAt - sentAt)
    const result = await run(build({ talosconfig, endpoint, nodes, timeoutMs }), options)
    return { ...result, endpoint, tookMs: performance.now() - sentAt }
  }

  /**
   * Only what reads waits for its turn (a pull may take minutes), and that is on its own time: `soon` is the answer, or
   * undefined where it did not come in time; then it holds no place any more, and may come yet.
   */
  const question = (
    nodes: readonly string[],
    endpoint: string,
    build: Build,
    options: AskOptions,
    patience: Patience,
    patienceMs: () => number,
  ): { soon: Promise<Answer | undefined>; answer: Promise<Answer> } => {
    let settle: (answer: Answer) => void = () => {}
    const answer = new Promise<Answer>((resolve) => {
      settle = resolve
    })
    const soon = gate(() => {
      void send(nodes, endpoint, build, options).then(settle)
      return patience.spend(answer, patienceMs())
    })
    return { soon, answer }
  }

  /** A stranger may be a machine that waits for its configuration: it says so itself, or an endpoint of the cluster tells it. */
  const recognized = async (node: string, answer: Answer): Promise<Answer> => {
    const isTold = hostOf(answer.endpoint) !== node && isOfNoCluster(answer) && ways.leads(answer.endpoint)
    const waits = isStranger(answer) && (isTold || (await ways.isInMaintenance(node)))
    return waits ? { ...answer, maintenance: true } : answer
  }

  /** `isAsked`: whether a question about the node alone is on its way through an endpoint already. */
  const oneOf = async (
    node: string,
    build: Build,
    { signal, ...options }: AskOptions,
    isAsked: (endpoint: string) => boolean = () => false,
  ): Promise<Answer> => {
    const { deadlineAt } = options
    const patience = createPatience(0)
    const { through, direct } = await ways.toAsk(node)
    const enough = new AbortController()
    const both = AbortSignal.any([enough.signal, ...(signal ? [signal] : [])])
    const silent = new Map<string, Promise<Answer>>()
    let word: Answer | undefined
    /** Whether that is the answer, be it a bad one. */
    const hear = (said: Answer): boolean => {
      silent.delete(said.endpoint)
      const isOwn = hostOf(said.endpoint) === node
      if (said.ended.by === 'deadline') {
        if (isOwn) ways.deaf(said.endpoint)
        // what a way to the node said is worth more than the silence of another one, but for the node's own
        if (isOwn && direct) word = { ...said, slow: true }
        else word ??= said
        return false
      }
      if (!word?.slow) word = said
      if (said.ended.by === 'abort') return true
      if (!neverArrived(said)) {
        ways.worked(node, said.endpoint)
        return true
      }
      // a stranger at the node's own address is a stranger by any other way, too
      return isOwn && isStranger(said)
    }
    try {
      for (const [tried, endpoint] of through.entries()) {
        if (tried > 0 && deadlineAt <= performance.now()) break
        if (isAsked(endpoint) && (silent.size > 0 || !through.every(isAsked))) continue
        const patienceMs = () => Math.min(PATIENCE_MS, share(deadlineAt, through.length - tried))
        const before = [...silent.values()]
        const { soon, answer } = question([node], endpoint, build, { ...options, signal: both }, patience, patienceMs)
        silent.set(endpoint, answer)
        const said = await Promise.race([soon, ...before])
        if (!said || !hear(said)) continue
        for (const other of silent.keys()) if (other !== endpoint && said.ended.by !== 'abort') ways.deaf(other)
        return recognized(node, said)
      }
      while (silent.size > 0) {
        const said = await Promise.race(silent.values())
        if (hear(said)) return recognized(node, said)
      }
      ways.failed(node, word?.ended.by === 'deadline')
      return recognized(node, word ?? UNASKED)
    } finally {
      enough.abort()
    }
  }

  const each: Ask['each'] = async (nodes, build, take, { signal, narrowed, ...options }) => {
    const { deadlineAt } = options
    const leastMs = share(deadlineAt, LEAST_PATIENCE.share)
    const patience = createPatience(Math.min(LEAST_PATIENCE.ms, leastMs))
    const pending = new Set(nodes)
    const words = new Map<string, Answer>(nodes.map((node) => [node, UNASKED]))
    const calls = new Set<{ asked: readonly string[]; enough: AbortController }>()
    /** calls about many that were silent so far */
    const silences = new Set<{ asked: readonly string[]; endpoint: string }>()
    const left = (asked: readonly string[]) => asked.filter((node) => pending.has(node))
    const followed = new Map<string, Contact>()
    const led = new Map<string, (word?: Answer) => void>()
    for (const node of nodes) {
      const contact = contacts.get(node)
      if (ways.wasHeard(node)) continue
      if (contact && contact.deadlineAt <= deadlineAt) followed.set(node, contact)
      else contacts.set(node, { deadlineAt, over: new Promise((resolve) => led.set(node, resolve)) })
    }
    /** Tells those who wait for it what became of the node. */
    const lead = (node: string, word?: Answer): void => {
      if (!led.has(node)) return
      contacts.delete(node)
      led.get(node)?.(word)
      led.delete(node)
    }
    /** Nothing more is asked about them. */
    const settle = (settled: readonly string[]): void => {
      for (const node of settled) {
        pending.delete(node)
        lead(node, words.get(node))
      }
      for (const { asked, enough } of calls) if (left(asked).length === 0) enough.abort()
      checkNarrowed()
    }
    const checkNarrowed = (): void => {
      if ([...pending].every((node) => solo.has(node))) narrowed?.([...pending])
    }
    /** Work that ends when nothing of what it asks is pending any more. */
    const whilePending = async (
      asked: readonly string[],
      work: (options: AskOptions) => Promise<void>,
    ): Promise<void> => {
      const call = { asked, enough: new AbortController() }
      calls.add(call)
      await work({ ...options, signal: AbortSignal.any([call.enough.signal, ...(signal ? [signal] : [])]) })
      calls.delete(call)
    }
    /** Has the answer taken, and returns those who are pending still. */
    const tell = (asked: readonly string[], answer: Answer): string[] => {
      const taken = [...take(asked, answer)].filter((node) => pending.has(node))
      for (const node of taken) {
        words.delete(node)
        ways.worked(node, answer.endpoint)
      }
      if (taken.length > 0 && answer.ended.by !== 'deadline') patience.learn(answer.tookMs)
      settle(taken)
      const errors = nodeErrors(answer.stderr)
      // talosctl 1.13 warns of single nodes and ends well
      const failed = isDone(answer) ? UNASKED.ended : answer.ended
      for (const node of left(asked)) {
        const own = errors.get(node)
        if (answer.ended.by !== 'deadline' || answer.slow || words.get(node) === UNASKED)
          words.set(node, own === undefined || answer.maintenance ? answer : { ...answer, ended: failed, stderr: own })
      }
      return left(asked)
    }

    const alone = (node: string): Promise<void> =>
      whilePending([node], async (asking) => {
        if (!pending.has(node)) return
        ways.doubted(node)
        solo.add(node)
        for (const look of lookAgain) look()
        // a call about many that only that one keeps from answering asks nobody else any more
        const isAsked = (endpoint: string) =>
          [...silences].some((one) => one.endpoint === endpoint && left(one.asked).join() === node)
        const answer = await oneOf(node, build, asking, isAsked)
        solo.delete(node)
        if (pending.has(node)) settle(tell([node], answer))
      })
    const together = async (wanted: readonly string[], through: readonly string[]): Promise<void> => {
      const asked = left(wanted)
      const [endpoint, ...others] = through
      if (asked.length < 2 || endpoint === undefined) return void (await Promise.all(asked.map(alone)))
      await whilePending(asked, async (asking) => {
        const patienceMs = () => Math.min(PATIENCE_MS, share(deadlineAt, 3))
        const heard: string[] = []
        const listening = { ...asking, onLine: (line: string) => heard.push(line) }
        const { soon, answer } = question(asked, endpoint, build, listening, patience, patienceMs)
        const said = await soon
        if (said) return goOn(asked, said, others)
        // talosctl 1.14 prints each node as it comes
        if (heard.length > 0)
          tell(asked, { ...UNASKED, endpoint, stdout: `${heard.join('\n')}\n`, ended: { by: 'deadline' } })
        // the silence may be that of the endpoint
        const rotated = [...others, endpoint]
        const silence = { asked, endpoint }
        silences.add(silence)
        await Promise.all([
          ...parts(left(asked)).map((part) => together(part, rotated)),
          answer.then((late) => {
            silences.delete(silence)
            if (late.ended.by !== 'abort') tell(asked, late)
            else if (asked.every((node) => !words.has(node))) ways.deaf(endpoint)
          }),
        ])
      })
    }
    /** Asks for what an answer left out. */
    const goOn = async (asked: readonly string[], said: Answer, others: readonly string[]): Promise<void> => {
      const rest = tell(asked, said)
      if (said.ended.by === 'abort' || said.ended.by === 'deadline') return settle(rest)
      if (neverArrived(said) && isOfEndpoint(said, asked)) {
        ways.deaf(said.endpoint)
        return together(rest, others)
      }
      const off = rest.filter((node) => nodeErrors(said.stderr).has(node) && neverArrived(words.get(node) ?? UNASKED))
      const unsaid = rest.filter((node) => !off.includes(node))
      // talosctl 1.14 gets nothing of anybody where a single node does not tell its version
      const again = off.length > 0 && rest.length === asked.length
      await Promise.all([
        again ? together(unsaid, [said.endpoint, ...others]) : Promise.all(unsaid.map(alone)),
        others.length > 0 ? together(off, others) : Promise.all(off.map(atHome)),
      ])
    }
    /** Every endpoint was asked; what is left is the node's own address, where a knock is answered there. */
    const atHome = async (node: string): Promise<void> => {
      const { direct } = await ways.toAsk(node)
      await (direct ? alone(node) : settle([node]))
    }

    /** Asks those whom another question finds out about. */
    const follow = async (): Promise<void> => {
      let hearNoMore = () => {}
      const stopped = new Promise<Answer>((resolve) => {
        hearNoMore = onAbort(signal, () => resolve({ ...UNASKED, ended: { by: 'abort' } }))
      })
      const waiting = new Set(followed.keys())
      const found = createGathering<string>(async (group) => together(group, await ways.forMany()), deadlineAt)
      const check = () => {
        if ([...waiting].every((node) => solo.has(node))) found.narrowed(waiting.size)
      }
      lookAgain.add(check)
      await Promise.all(
        [...followed].map(async ([node, { over }]) => {
          const word = await Promise.race([over, stopped])
          waiting.delete(node)
          if (word && (word.ended.by === 'deadline' || neverArrived(word) || signal?.aborted)) {
            words.set(node, word)
            settle([node])
          } else found.add([node], 0)
          check()
        }),
      )
      lookAgain.delete(check)
      hearNoMore()
      await found.end()
    }

    const own = nodes.filter((node) => !followed.has(node))
    const [through, ...sure] = await Promise.all([ways.forMany(), ...own.map((node) => ways.isSure(node))])
    const kinds = own.map((node, index) => {
      if (ways.wasSilent(node)) return 'was silent'
      if (ways.wasHeard(node)) return 'was heard'
      // an endpoint that hangs makes all silent who are asked through it
      return sure[index] ? (ways.isEndpoint(node) ? 'leads to others' : 'is there') : 'is perhaps there'
    })
    const those = (kind: (typeof kinds)[number]) => own.filter((_, index) => kinds[index] === kind)
    lookAgain.add(checkNarrowed)
    try {
      await Promise.all([
        ...those('was silent').map(alone),
        together(those('was heard'), through),
        together(those('leads to others'), through),
        together(those('is there'), through),
        together(those('is perhaps there'), through),
        follow(),
      ])
    } finally {
      lookAgain.delete(checkNarrowed)
      for (const node of [...led.keys()]) lead(node, words.get(node))
    }
    for (const [node, answer] of words) {
      words.set(node, await recognized(node, answer))
      if (neverArrived(answer) || answer.ended.by === 'deadline') ways.failed(node, answer.ended.by === 'deadline')
    }
    return words
  }

  return {
    each,
    one: (node, build, options) => oneOf(node, build, options),
    change: async (node, build, options) => {
      let answer: Answer = UNASKED
      for (const endpoint of await ways.toChange(node)) {
        answer = await send([node], endpoint, build, options)
        if (!neverArrived(answer) || answer.ended.by === 'deadline' || options.signal?.aborted) break
      }
      return answer
    },
  }
}

/**
 * Go names the authority that has the same name as the one which signed, and every Talos cluster's is called "talos". A machine
 * in maintenance has one without a name (MaintenanceRootController), so that no candidate is named.
 */
const isOfNoCluster = ({ stderr }: Answer): boolean =>
  /x509: certificate signed by unknown authority(?! \(possibly because)/.test(stderr)

const isStranger = ({ stderr }: Answer): boolean => /authentication handshake failed/.test(stderr)

/** talosctl 1.14 says of each node what is wrong with the endpoint. */
function isOfEndpoint({ stderr }: Answer, nodes: readonly string[]): boolean {
  const errors = nodeErrors(stderr)
  return errors.size === 0 || (errors.size === nodes.length && new Set(errors.values()).size === 1)
}

/** Cut so that two cuts leave each node alone: every silence costs patience, and two of them are few processes. */
function parts(asked: readonly string[]): string[][] {
  const size = asked.length <= 4 ? 1 : Math.ceil(asked.length / Math.ceil(Math.sqrt(asked.length)))
  return Array.from({ length: Math.ceil(asked.length / size) }, (_, n) => asked.slice(n * size, (n + 1) * size))
}

const share = (deadlineAt: number, of: number): number => Math.max(1, (deadlineAt - performance.now()) / of)

const UNASKED: Answer = {
  ...{ stdout: '', stderr: 'no endpoint to ask', ended: { by: 'exit', code: 1 } },
  ...{ endpoint: '', tookMs: 0 },
}
