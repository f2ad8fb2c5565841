const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const

/** `10m`, `90s`, `1h30m`, `500ms` in milliseconds, as Go writes durations; undefined for anything else, and for zero. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text.trim())
  if (match === null) return undefined
  const [, h, m, s, ms] = match
  const total =
    Number(h ?? 0) * UNIT_MS.h + Number(m ?? 0) * UNIT_MS.m + Number(s ?? 0) * UNIT_MS.s + Number(ms ?? 0) * UNIT_MS.ms
  // setTimeout fires at once beyond 2^31-1 ms, about 24 days
  return total > 0 && total < 2 ** 31 ? total : undefined
}
