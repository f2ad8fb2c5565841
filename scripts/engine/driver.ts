/**
 * Carries a run out: replays the journal, starts what is open, writes an intent before each effect and its outcome
 * before the machine advances. It decides nothing; the machines do.
 */
import { join } from 'node:path'
import type { AnyStateMachine } from 'xstate'
import type { RunEvent } from '../../workflows/model/event.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Journal, JournalRecord } from './journal.ts'
import { waitForOrphan } from './orphan.ts'
import {
  begin,
  type Effect,
  feed,
  isDone,
  type Machines,
  type Outcome,
  openEffects,
  type RunState,
} from './run-state.ts'
import type { Stop } from './stop.ts'

export type StepContext = {
  /** an earlier process began this step and nobody saw its end */
  again: boolean
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
  /** why this process may start nothing any more: the lock was taken over */
  fence(): Failure | undefined
  /** the same, asked anew from whoever keeps the lock, before a step that changes something */
  confirm(signal: AbortSignal): Promise<Failure | undefined>
}

export type Driven =
  | { state: RunState; ended: 'done' }
  | { state: RunState; ended: 'stopped' }
  | { state: RunState; ended: 'broken'; failure: Failure }

type Ended = { effect: Effect; startedAt: number; outcome: Outcome | undefined; lost?: Failure }

export async function drive(run: Drive): Promise<Driven> {
  let state = replay(run)
  const begun = unfinishedIntents(run.journal.records)
  const inFlight = new Map<string, Promise<Ended>>()
  let broken: Failure | undefined

  const startOpen = () => {
    for (const effect of openEffects(state)) {
      if (inFlight.has(effect.path) || run.stop.requested.aborted || broken) continue
      try {
        broken = run.fence()
        if (broken) return
        const intent = announce(run, effect)
        inFlight.set(effect.path, carryOut(run, effect, intent, begun.get(effect.path) ?? []))
      } catch (error) {
        broken = failure('journal-unwritable', { detail: (error as Error).message })
      }
    }
  }

  startOpen()
  while (inFlight.size > 0) {
    const { effect, startedAt, outcome, lost } = await Promise.race(inFlight.values())
    broken ??= lost
    inFlight.delete(effect.path)
    begun.delete(effect.path)
    // cut off by a request to stop: neither done nor failed, so the journal says nothing and the next run does it again
    if (!outcome || broken) continue
    const tookMs = Math.round(performance.now() - startedAt)
    try {
      run.journal.append({ type: 'outcome', path: effect.path, at: new Date().toISOString(), tookMs, ...outcome })
    } catch (error) {
      broken = failure('journal-unwritable', { detail: (error as Error).message })
      continue
    }
    run.emit(endedEvent(effect, outcome, tookMs))
    state = feed(run.machines, state, effect.path, outcome)
    startOpen()
  }
  if (broken) return { state, ended: 'broken', failure: broken }
  return { state, ended: isDone(state) ? 'done' : 'stopped' }
}

/** Rebuilds the state from the recorded outcomes, in their recorded order. */
function replay(run: Pick<Drive, 'machines' | 'root' | 'input' | 'journal'>): RunState {
  let state = begin(run.machines, run.root, run.input)
  for (const record of run.journal.records) {
    if (record.type !== 'outcome') continue
    state = feed(
      run.machines,
      state,
      record.path,
      record.ok ? { ok: true, output: record.output } : { ok: false, failure: record.failure },
    )
  }
  return state
}

type Intent = JournalRecord & { type: 'intent' }

/** Steps that were begun, by one or more processes, and have no outcome, by path. */
export function unfinishedIntents(records: readonly JournalRecord[]): Map<string, Intent[]> {
  const open = new Map<string, Intent[]>()
  for (const record of records) {
    if (record.type === 'intent') open.set(record.path, [...(open.get(record.path) ?? []), record])
    if (record.type === 'outcome') open.delete(record.path)
  }
  return open
}

const planOf = (effect: Effect): { node?: string; bootId?: string } => {
  const input = effect.input as { plan?: { node: string; bootId: string }; node?: string }
  return input.plan ?? input
}

function announce(run: Drive, effect: Effect): Intent {
  const { node, bootId } = planOf(effect)
  const intent: Intent = {
    type: 'intent',
    path: effect.path,
    step: effect.meta.step,
    ...(node === undefined ? {} : { node }),
    at: new Date().toISOString(),
    processFile: join(run.processes, `${run.journal.records.length}.pid`),
    ...(bootId === undefined ? {} : { bootId }),
  }
  run.journal.append(intent)
  return intent
}

async function carryOut(run: Drive, effect: Effect, intent: Intent, before: readonly Intent[]): Promise<Ended> {
  const { step, title, disruptive, stops, changes } = effect.meta
  const { node } = planOf(effect)
  const named = { ...(node === undefined ? {} : { node }), step }
  const signal = stops === 'when done' ? run.stop.forced : run.stop.requested
  const startedAt = performance.now()
  run.emit({ type: 'step.started', ...named, title, disruptive })
  const waiting = (what: string, last?: string) =>
    run.emit({ type: 'waiting', ...named, for: what, ...(last === undefined ? {} : { last }) })
  try {
    const body = run.steps[step]
    if (!body) throw new Error(`no step is called ${step}`)
    // each process that died in this step may have left its command behind
    for (const { processFile } of before) await waitForOrphan(processFile, step, { signal, waiting })
    const lost = changes ? await run.confirm(signal) : undefined
    if (lost) return { effect, startedAt, outcome: undefined, lost }
    const work = body(effect.input as never, {
      again: before.length > 0,
      signal,
      processFile: intent.processFile,
      waiting,
      notice: (text) => run.emit({ type: 'notice', ...(node === undefined ? {} : { node }), text }),
    })
    const result = await orStopped(work, signal)
    if (result.ok) return { effect, startedAt, outcome: { ok: true, output: result.value } }
    const outcome = signal.aborted ? undefined : { ok: false as const, failure: { ...named, ...result.failure } }
    return { effect, startedAt, outcome }
  } catch (error) {
    if (signal.aborted) return { effect, startedAt, outcome: undefined }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { effect, startedAt, outcome: { ok: false, failure: failure('bug', { ...named, detail }) } }
  }
}

/** Stops waiting for a step whose signal fired and that does not end by itself, an install above all. */
function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function endedEvent(effect: Effect, outcome: Outcome, tookMs: number): RunEvent {
  const { node } = planOf(effect)
  const base = { ...(node === undefined ? {} : { node }), step: effect.meta.step, title: effect.meta.title, tookMs }
  return outcome.ok ? { type: 'step.finished', ...base } : { type: 'step.failed', ...base, failure: outcome.failure }
}
