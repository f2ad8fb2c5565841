/**
 * Whether this process slept: a lid that was closed, SIGSTOP, a virtual machine that was suspended. While it did, the
 * world went on. Some of these stop the monotonic clock, others only the process, so both clocks are looked at.
 */

export type Clocks = { monotonicMs: () => number; wallMs: () => number }

export type Heartbeat = {
  /** how often it was found to have slept; looks at the clocks itself, and so does not wait for the next tick */
  sleeps(): number
  /** resolves when it is found to have slept once more */
  nextSleep(): Promise<void>
  stop(): void
}

const BEAT_MS = 1_000

/** two beats that are further apart than this: whatever was seen before them is old */
const SLEPT_MS = 60_000

const ofThisMachine: Clocks = { monotonicMs: () => performance.now(), wallMs: () => Date.now() }

/** Beats until it is stopped; keeps no process alive. */
export function startHeartbeat(clocks: Clocks = ofThisMachine, beatMs = BEAT_MS): Heartbeat {
  const read = () => [clocks.monotonicMs(), clocks.wallMs()] as const
  let last = read()
  let sleeps = 0
  let wake: (() => void)[] = []
  const beat = () => {
    const now = read()
    // a clock that was set is taken for a sleep as well: that costs one look
    const slept = now.some((ms, clock) => Math.abs(ms - (last[clock] ?? ms)) > SLEPT_MS)
    last = now
    if (!slept) return
    sleeps++
    for (const resolve of wake) resolve()
    wake = []
  }
  const timer = setInterval(beat, beatMs)
  timer.unref()
  return {
    sleeps() {
      beat()
      return sleeps
    },
    nextSleep: () => new Promise((resolve) => wake.push(resolve)),
    stop: () => clearInterval(timer),
  }
}
