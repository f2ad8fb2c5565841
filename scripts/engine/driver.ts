/**
 * Carries a run out: replays the journal, starts what is open, writes an intent before each effect and its outcome
 * before the machine advances. It decides nothing; the machines do.
 */
import { dirname, join } from 'node:path'
import type { AnyStateMachine } from 'xstate'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { Failure, Result } from '../../workflows/model/failure.ts'
import { withoutUnasked } from '../../workflows/plan/without-unasked.ts'
import { carryOutEffect, type EndedEffect, endedEvent } from './carry-out-effect.ts'
import type { Heartbeat } from './heartbeat.ts'
import { appendTo, type Journal, type JournalRecord } from './journal.ts'
import { begin, type Effect, expire, feed, isDone, type Machines, openEffects, type RunState } from './run-state.ts'
import type { Stop } from './stop.ts'

export type StepContext = {
  /** an earlier process began this step and nobody saw its end */
  begunBefore: boolean
  /** what led to this step has expired: an earlier process led to it, or this one has slept since */
  isStale(): boolean
  /**
   * Asked before each request that can not be taken back: asks for lock and Lease, and then takes the last look of the step, since
   * what that tells ages faster. Where the run was told to stop, or they are not ours any more, it rejects and the step ends there:
   * what it was about to ask is not asked, and nothing failed.
   */
  mayBegin<Seen>(lastLook: () => Promise<Seen>): Promise<Seen>
  /** aborted when the step must end without having done its work */
  signal: AbortSignal
  /** where the command that the step starts notes its pid */
  processFile: string
  /** says which condition is being watched, and what was seen last */
  waiting(what: string, last?: string): void
  /** says something that a person should know of, whatever becomes of the step */
  notice(text: string): void
}

/** Observes, acts, verifies. It may be carried out more than once and must not do twice what was done. */
export type Step = (input: never, context: StepContext) => Promise<Result<unknown>>

export type Drive = {
  machines: Machines
  root: AnyStateMachine
  input: unknown
  steps: Readonly<Record<string, Step>>
  journal: Journal
  /** folder for the process files of running commands */
  processes: string
  emit(event: RunEvent): void
  stop: Stop
  heartbeat: Heartbeat
  /** why this process may start nothing any more: the lock was taken over */
  fence(): Failure | undefined
  /**
   * the same, asked from whoever keeps the lock before a step that changes something: `anew` before a request that can not be
   * taken back; `lately` before what can, where an answer of the last second does
   */
  confirm(signal: AbortSignal, how: { anew: boolean | 'lately' }): Promise<Failure | undefined>
  /** aborted when the lock is lost: what can be cut off is */
  loses?: AbortSignal
  /** longest time for which commands of dead runs are waited for; a test may have less */
  orphansMs?: number
}

/** `unwritten`: that steps were kept back before they asked anything, where that may not stand in the journal any more. */
export type Driven = { state: RunState; unwritten: readonly JournalRecord[] } & (
  | { ended: 'done' }
  | { ended: 'stopped' }
  | { ended: 'broken'; failure: Failure }
)

/** A step that is being carried out; `leave` cuts it off when its machine has left it. */
type Flight = { effect: Effect; intent: Intent; ended: Promise<EndedEffect>; leave: AbortController }

export async function drive(run: Drive): Promise<Driven> {
  const { heartbeat } = run
  let state = replay(run)
  const begun = unfinishedIntents(run.journal.records)
  /** paths of what an earlier process led to, whether or not it wrote the intent */
  const inherited = new Set<string>()
  const inFlight = new Map<string, Flight>()
  const unwritten: JournalRecord[] = []
  let broken: Failure | undefined
  let sleeps = heartbeat.sleeps()

  const write = (record: JournalRecord): boolean => {
    const unwritten = appendTo(run.journal, record)
    broken ??= unwritten
    return unwritten === undefined
  }

  /** The machines hear of it in the same order as the journal. */
  const resume = (how: { slept?: true } = {}) => {
    if (!write({ type: 'resumed', at: new Date().toISOString(), pid: process.pid, ...how })) return
    state = expire(run.machines, state)
    for (const { effect, leave } of inFlight.values()) if (!isOpen(state, effect)) leave.abort()
  }

  /** Before anything is believed or begun. */
  const noticeSleep = () => {
    if (broken || heartbeat.sleeps() === sleeps) return
    sleeps = heartbeat.sleeps()
    run.emit({ type: 'notice', text: 'this process slept: what it had found before that is looked at again' })
    resume({ slept: true })
  }

  const startOpen = () => {
    for (const effect of openEffects(state)) {
      if (inFlight.has(effect.path) || run.stop.requested.aborted || broken) continue
      broken = run.fence()
      if (broken) return
      const intent = intentOf(run, effect)
      if (!write(intent)) return
      const awakeUntil = sleeps
      const leave = new AbortController()
      const before = begun.get(effect.path) ?? []
      const isInherited = inherited.delete(effect.path)
      const ended = carryOutEffect(run, effect, {
        intent,
        begunBefore: before.length > 0,
        isStale: () => before.length > 0 || isInherited || heartbeat.sleeps() !== awakeUntil,
        sleeps: heartbeat.sleeps,
        orphans: intentsBeside(begun, effect.path),
        left: leave.signal,
      })
      inFlight.set(effect.path, { effect, intent, ended, leave })
    }
  }

  if (run.journal.records.some(({ type }) => type === 'intent')) {
    resume()
    for (const { path } of openEffects(state)) inherited.add(path)
  }
  startOpen()
  while (inFlight.size > 0) {
    const ended = await Promise.race([...[...inFlight.values()].map((flight) => flight.ended), heartbeat.nextSleep()])
    noticeSleep()
    if (!ended) continue
    const { effect, startedAt, outcome, kept } = ended
    broken ??= kept?.lost ?? (run.loses?.aborted ? run.fence() : undefined)
    const intent = inFlight.get(effect.path)?.intent
    if (intent && kept?.hasAsked === false) {
      const record = takenBack(intent)
      // after what is lost somebody else may be writing here
      if (broken || !write(record)) unwritten.push(record)
    }
    inFlight.delete(effect.path)
    begun.delete(effect.path)
    if (broken) continue
    // cut off by a request to stop: neither done nor failed, so the journal says nothing and the next run does it again
    if (outcome && isOpen(state, effect)) {
      const tookMs = Math.round(performance.now() - startedAt)
      if (!write({ type: 'outcome', path: effect.path, at: new Date().toISOString(), tookMs, ...outcome })) continue
      run.emit(endedEvent(effect, outcome, tookMs))
      state = feed(run.machines, state, effect.path, outcome)
    }
    startOpen()
  }
  if (broken) return { state, unwritten, ended: 'broken', failure: broken }
  return { state, unwritten, ended: isDone(state) ? 'done' : 'stopped' }
}

/** The machine waits for that very effect, and not for a later one with the same path. */
const isOpen = (state: RunState, { path, input }: Effect): boolean =>
  openEffects(state).some((open) => open.path === path && open.input === input)

type Recorded = Pick<Drive, 'machines' | 'root' | 'input'> & { journal: Pick<Journal, 'records'> }

/** Whether the records lead on in these machines. Those that another version of the product wrote may lead nowhere. */
export function leadsOn(run: Recorded): 'on' | 'nowhere' {
  try {
    const state = replay(run)
    // a machine that can not begin with that plan says so by its status
    return state.snapshot.status === 'error' ? 'nowhere' : 'on'
  } catch {
    return 'nowhere'
  }
}

/** Rebuilds the state from what is recorded, in its order. */
function replay(run: Recorded): RunState {
  let state = begin(run.machines, run.root, run.input)
  for (const record of run.journal.records) {
    if (record.type === 'resumed') state = expire(run.machines, state)
    if (record.type !== 'outcome') continue
    const outcome = record.ok
      ? { ok: true as const, output: record.output }
      : { ok: false as const, failure: record.failure }
    const next = feed(run.machines, state, record.path, outcome)
    // killed before its end was written: the look with which it ended has expired, and is taken once more
    if (next.snapshot.status !== 'done') state = next
  }
  return state
}

export type Intent = JournalRecord & { type: 'intent' }

/** Steps that were begun, by one or more processes, and have no outcome, by path. */
export function unfinishedIntents(records: readonly JournalRecord[]): Map<string, Intent[]> {
  const open = new Map<string, Intent[]>()
  for (const record of withoutUnasked(records)) {
    if (record.type === 'intent') open.set(record.path, [...(open.get(record.path) ?? []), record])
    if (record.type === 'outcome') open.delete(record.path)
  }
  return open
}

/** Those of the same machine: what an earlier process began in another state of it may still go on. */
const intentsBeside = (begun: ReadonlyMap<string, Intent[]>, path: string): Intent[] =>
  [...begun].flatMap(([other, intents]) => (dirname(other) === dirname(path) ? intents : []))

const takenBack = ({ path, node }: Intent): JournalRecord => ({
  type: 'unasked',
  path,
  ...(node === undefined ? {} : { node }),
  at: new Date().toISOString(),
})

function intentOf(run: Drive, effect: Effect): Intent {
  const { node, bootId } = effect.about
  return {
    type: 'intent',
    path: effect.path,
    step: effect.meta.step,
    ...(node === undefined ? {} : { node }),
    at: new Date().toISOString(),
    processFile: join(run.processes, `${run.journal.records.length}.pid`),
    ...(bootId === undefined ? {} : { bootId }),
  }
}
