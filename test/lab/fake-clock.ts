import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../lab/clock.ts'

/** A clock that stands still until it is told to go on; whoever sleeps wakes in order. */
export type FakeClock = Clock & {
  /** lets that many machine seconds pass, and everything that they set off */
  pass(seconds: number): Promise<void>
}

export function fakeClock(): FakeClock {
  let now = 0
  let sleepers: { due: number; wake: () => void }[] = []
  return {
    now: () => new Date(Date.UTC(2026, 0, 1) + now * 1000),
    sleep: (seconds, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const sleeper = { due: now + seconds, wake: resolve }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', () => {
          sleepers = sleepers.filter((other) => other !== sleeper)
          reject(signal.reason)
        })
      }),
    async pass(seconds) {
      const end = now + seconds
      for (;;) {
        await setImmediate()
        const next = sleepers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0]
        if (next === undefined) break
        sleepers = sleepers.filter((other) => other !== next)
        now = next.due
        next.wake()
      }
      now = end
    },
  }
}
