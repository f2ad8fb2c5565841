/** How long the phases of a command took, in milliseconds; phases may overlap. */
export type Stopwatch = {
  readonly tookMs: Readonly<Record<string, number>>
  time<T>(phase: string, work: () => T | Promise<T>): Promise<T>
}

export function stopwatch(now: () => number = () => performance.now()): Stopwatch {
  const tookMs: Record<string, number> = {}
  return {
    tookMs,
    async time(phase, work) {
      const startedAt = now()
      try {
        return await work()
      } finally {
        tookMs[phase] = Math.round((tookMs[phase] ?? 0) + now() - startedAt)
      }
    },
  }
}
