/** Waiting, the only way it is done here: a condition in words, a look at the world, a deadline. */
import { setTimeout as pause } from 'node:timers/promises'

export type Watch<Seen> = {
  /** the condition, as a person would say it: "k8s-1 to run with a new boot id" */
  what: string
  look: () => Promise<Seen>
  until: (seen: Seen) => boolean
  /** what was seen, in a few words */
  say?: (seen: Seen) => string
  /** counts from the end of the first look, so that one which was slow to fail is followed by another */
  deadlineMs: number
  /** least pause between two looks; after one that took longer it is as long as that, up to a second */
  everyMs: number
}

/** A machine that is slow to look has other things to do, the looked-at cluster's among them in a lab. */
const longestPauseMs = 1_000

/** Who waits: how it is told to stop, and who hears what it waits for. */
export type Waiter = { signal: AbortSignal; waiting: (what: string, last?: string) => void }

/** `met: false` means that the deadline passed; rejects with the signal's reason when aborted. */
export async function watch<Seen>(waiter: Waiter, options: Watch<Seen>): Promise<{ met: boolean; seen: Seen }> {
  const { signal } = waiter
  const { what, look, until, say, deadlineMs, everyMs } = options
  let deadline: number | undefined
  let said: string | undefined
  for (;;) {
    signal.throwIfAborted()
    const lookedAt = performance.now()
    const seen = await look()
    const tookMs = performance.now() - lookedAt
    deadline ??= performance.now() + deadlineMs
    if (until(seen)) return { met: true, seen }
    const last = say?.(seen)
    if (said === undefined || last !== said) waiter.waiting(what, last)
    said = last ?? ''
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) return { met: false, seen }
    const pauseMs = Math.max(everyMs, Math.min(tookMs, longestPauseMs))
    await pause(Math.min(pauseMs, leftMs), undefined, { signal })
  }
}
