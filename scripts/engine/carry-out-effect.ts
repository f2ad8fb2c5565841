/** One effect of a machine, from its start to its outcome; what an earlier process left behind of it is waited for first. */
import type { RunEvent } from '../../workflows/model/event.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import { failureOfThrown } from '../disk/on-disk.ts'
import type { Drive, Intent } from './driver.ts'
import { onAbort } from './on-abort.ts'
import { waitForOrphan } from './orphan.ts'
import type { Effect, Outcome } from './run-state.ts'
import { startsFor } from './starts.ts'

/** `outcome` is absent when it was cut off or kept back: then it is neither done nor failed. */
export type EndedEffect = { effect: Effect; startedAt: number; outcome: Outcome | undefined; kept?: KeptBack }

/** what was found out of lock and Lease is believed for so long */
const OLD_MS = 60_000

/** Ends a step that may not do what it is about to do. It is the engine's own, and no failure of the step. */
class KeptBack extends Error {
  /** why this process may start nothing any more; absent where the step alone is to end */
  readonly lost: Failure | undefined
  /** it had been allowed to ask before */
  readonly hasAsked: boolean
  constructor(lost: Failure | undefined, hasAsked: boolean) {
    super('may not begin')
    this.lost = lost
    this.hasAsked = hasAsked
  }
}

type Circumstances = {
  intent: Intent
  begunBefore: boolean
  isStale(): boolean
  sleeps(): number
  /** commands that dead processes may have left behind */
  orphans: readonly Intent[]
  /** aborted when the machine waits for the effect no more */
  left: AbortSignal
}

/** Carries the effect out by the step of its name; never rejects. */
export async function carryOutEffect(run: Drive, effect: Effect, circumstances: Circumstances): Promise<EndedEffect> {
  const { intent, begunBefore, isStale, sleeps, orphans, left } = circumstances
  const { step, title, disruptive, cutOff: how, changes, expires } = effect.meta
  const { node } = effect.about
  const named = { ...(node === undefined ? {} : { node }), step }
  const cutOff = run.loses ? AbortSignal.any([run.stop.requested, run.loses]) : run.stop.requested
  const stopped = how === 'never' ? run.stop.forced : cutOff
  const signal = AbortSignal.any([stopped, left])
  // before its work begins every effect can be cut off, also one whose end is waited for later
  const unbegun = AbortSignal.any([cutOff, left])
  const startedAt = performance.now()
  let begun = false
  let hasAsked = false
  /** Lock and Lease are asked, and a question that was cut off says nothing. */
  const mayGoOn = async (how: { anew: boolean | 'lately' }) => {
    const lost = await run.confirm(unbegun, how).catch((error: unknown) => {
      if (!unbegun.aborted) throw error
      return undefined
    })
    if (lost || unbegun.aborted) throw new KeptBack(lost, hasAsked)
  }
  const mayBegin = async <Seen>(lastLook: () => Promise<Seen>): Promise<Seen> => {
    for (;;) {
      await mayGoOn({ anew: true })
      const from = performance.now()
      const slept = sleeps()
      const seen = await lastLook()
      const lost = run.fence()
      if (lost || unbegun.aborted) throw new KeptBack(lost, hasAsked)
      // whoever looked for that long, or slept, knows no more whose the Lease is
      if (performance.now() - from > OLD_MS || sleeps() !== slept) continue
      hasAsked = true
      return seen
    }
  }
  run.emit({ type: 'step.started', ...named, title, disruptive })
  const waiting = (what: string, last?: string) => {
    // a step that nobody waits for any more may still look once
    if (signal.aborted) return
    run.emit({ type: 'waiting', ...named, for: what, ...(last === undefined ? {} : { last }) })
  }
  try {
    const body = run.steps[step]
    if (!body) throw new Error(`no step is called ${step}`)
    for (const orphan of orphans) {
      const waiter = { signal: unbegun, waiting }
      const limits = run.orphansMs === undefined ? {} : { deadlineMs: run.orphansMs }
      const runsOn = await waitForOrphan(orphan.processFile, orphan.step, waiter, limits)
      // that is no outcome: this run stays unfinished, so that the next one waits for it as well
      if (runsOn) return { effect, startedAt, outcome: undefined, kept: new KeptBack({ ...named, ...runsOn }, true) }
    }
    // on the way down nothing is begun on an old answer; what can not be taken back asks once more, right before it
    if (changes) await mayGoOn({ anew: expires && 'lately' })
    unbegun.throwIfAborted()
    const notice = (text: string) => run.emit({ type: 'notice', ...(node === undefined ? {} : { node }), text })
    const { processFile } = intent
    begun = true
    const known = { begunBefore, isStale, mayBegin, signal, processFile, waiting, notice }
    const work = startsFor({ node, of: step }, () => body(effect.input as never, known))
    const result = await orStopped(work, stopped)
    if (result.ok) return { effect, startedAt, outcome: { ok: true, output: result.value } }
    const outcome = signal.aborted ? undefined : { ok: false as const, failure: { ...named, ...result.failure } }
    return { effect, startedAt, outcome }
  } catch (error) {
    if (error instanceof KeptBack) return { effect, startedAt, outcome: undefined, kept: error }
    if (signal.aborted || (!begun && unbegun.aborted)) return { effect, startedAt, outcome: undefined }
    return { effect, startedAt, outcome: { ok: false, failure: { ...named, ...failureOfThrown(error) } } }
  }
}

/** Stops waiting for a step whose signal fired and that does not end by itself, an install above all. */
function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const hearNoMore = onAbort(signal, () => reject(signal.reason))
    // also of work that nobody waits for any more the end is heard, or its abort would end the process
    work.then(resolve, reject).finally(hearNoMore)
  })
}

/** How it ended, for those who watch the run. */
export function endedEvent(effect: Effect, outcome: Outcome, tookMs: number): RunEvent {
  const { node } = effect.about
  const base = { ...(node === undefined ? {} : { node }), step: effect.meta.step, title: effect.meta.title, tookMs }
  return outcome.ok ? { type: 'step.finished', ...base } : { type: 'step.failed', ...base, failure: outcome.failure }
}
