/** Waiting, the only way it is done here: a condition in words, a look at the world, a deadline. */
import { setTimeout as pause } from 'node:timers/promises'

export type Watch<Seen> = {
  /** the condition, as a person would say it: "k8s-1 to run with a new boot id" */
  what: string
  look: () => Promise<Seen>
  until: (seen: Seen) => boolean
  /** what was seen, in a few words */
  say?: (seen: Seen) => string
  deadlineMs: number
  /** pause between two looks */
  everyMs: number
}

/** Who waits: how it is told to stop, and who hears what it waits for. */
export type Waiter = { signal: AbortSignal; waiting: (what: string, last?: string) => void }

/** `met: false` means that the deadline passed; rejects with the signal's reason when aborted. */
export async function watch<Seen>(waiter: Waiter, options: Watch<Seen>): Promise<{ met: boolean; seen: Seen }> {
  const { signal } = waiter
  const { what, look, until, say, deadlineMs, everyMs } = options
  const deadline = Date.now() + deadlineMs
  let said: string | undefined
  for (;;) {
    signal.throwIfAborted()
    const seen = await look()
    if (until(seen)) return { met: true, seen }
    const last = say?.(seen)
    if (said === undefined || last !== said) waiter.waiting(what, last)
    said = last ?? ''
    const leftMs = deadline - Date.now()
    if (leftMs <= 0) return { met: false, seen }
    await pause(Math.min(everyMs, leftMs), undefined, { signal })
  }
}
