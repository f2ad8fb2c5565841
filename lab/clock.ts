import { setTimeout } from 'node:timers/promises'

/** The lab's time. Durations are what a real machine takes, in seconds; a clock may let them pass faster. */
export interface Clock {
  now(): Date
  /** resolves after that many machine seconds; rejects with the signal's reason when aborted */
  sleep(seconds: number, signal?: AbortSignal): Promise<void>
}

/** Wall-clock time in which machine seconds pass `speed` times as fast. */
export function scaledClock(speed: number): Clock {
  return {
    now: () => new Date(),
    async sleep(seconds, signal) {
      signal?.throwIfAborted()
      try {
        await setTimeout((seconds * 1000) / speed, undefined, signal === undefined ? {} : { signal })
      } catch (error) {
        signal?.throwIfAborted()
        throw error
      }
    },
  }
}
