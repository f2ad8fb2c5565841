/** One effect of a machine, from its start to its outcome; what an earlier process left behind of it is waited for first. */
import type { RunEvent } from '../../workflows/model/event.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import { failureOfThrown } from '../disk/on-disk.ts'
import type { Drive, Intent } from './driver.ts'
import { waitForOrphan } from './orphan.ts'
import type { Effect, Outcome } from './run-state.ts'
import { startsFor } from './starts.ts'

/** `outcome` is absent when it was cut off, or could not begin because the lock was `lost`. */
export type Ended = { effect: Effect; startedAt: number; outcome: Outcome | undefined; lost?: Failure }

type Circumstances = {
  intent: Intent
  again: boolean
  isStale(): boolean
  sleeps(): number
  /** commands that dead processes may have left behind */
  orphans: readonly Intent[]
  /** aborted when the machine waits for the effect no more */
  left: AbortSignal
}

/** Carries the effect out by the step of its name; never rejects. */
export async function carryOut(run: Drive, effect: Effect, circumstances: Circumstances): Promise<Ended> {
  const { intent, again, isStale, sleeps, orphans, left } = circumstances
  const { step, title, disruptive, cutOff: how, changes } = effect.meta
  const { node } = effect.about
  const named = { ...(node === undefined ? {} : { node }), step }
  const cutOff = run.loses ? AbortSignal.any([run.stop.requested, run.loses]) : run.stop.requested
  const stopped = how === 'never' ? run.stop.forced : cutOff
  const signal = AbortSignal.any([stopped, left])
  // before its work begins every effect can be cut off, also one whose end is waited for later
  const unbegun = AbortSignal.any([cutOff, left])
  const startedAt = performance.now()
  let begun = false
  run.emit({ type: 'step.started', ...named, title, disruptive })
  const waiting = (what: string, last?: string) => {
    // a step that nobody waits for any more may still look once
    if (signal.aborted) return
    run.emit({ type: 'waiting', ...named, for: what, ...(last === undefined ? {} : { last }) })
  }
  try {
    const body = run.steps[step]
    if (!body) throw new Error(`no step is called ${step}`)
    for (const orphan of orphans) await waitForOrphan(orphan.processFile, orphan.step, { signal: unbegun, waiting })
    const lost = changes ? await run.confirm(unbegun, { anew: disruptive }) : undefined
    if (lost) return { effect, startedAt, outcome: undefined, lost }
    // a question that was cut off says nothing, and after a request to stop nothing is begun
    unbegun.throwIfAborted()
    const notice = (text: string) => run.emit({ type: 'notice', ...(node === undefined ? {} : { node }), text })
    const { processFile } = intent
    begun = true
    const work = startsFor({ node, of: step }, () =>
      body(effect.input as never, { again, isStale, sleeps, signal, processFile, waiting, notice }),
    )
    const result = await orStopped(work, stopped)
    if (result.ok) return { effect, startedAt, outcome: { ok: true, output: result.value } }
    const outcome = signal.aborted ? undefined : { ok: false as const, failure: { ...named, ...result.failure } }
    return { effect, startedAt, outcome }
  } catch (error) {
    if (signal.aborted || (!begun && unbegun.aborted)) return { effect, startedAt, outcome: undefined }
    return { effect, startedAt, outcome: { ok: false, failure: { ...named, ...failureOfThrown(error) } } }
  }
}

/** Stops waiting for a step whose signal fired and that does not end by itself, an install above all. */
function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    // also of work that nobody waits for any more the end is heard, or its abort would end the process
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** How it ended, for those who watch the run. */
export function endedEvent(effect: Effect, outcome: Outcome, tookMs: number): RunEvent {
  const { node } = effect.about
  const base = { ...(node === undefined ? {} : { node }), step: effect.meta.step, title: effect.meta.title, tookMs }
  return outcome.ok ? { type: 'step.finished', ...base } : { type: 'step.failed', ...base, failure: outcome.failure }
}
