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

/** A duration as a person would write it, to two units: 45s, 10m, 1h30m, 3d2h. */
export function writeDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = units.findIndex(([count]) => count > 0)
  if (first < 0) return '0s'
  return units
    .slice(first, first + 2)
    .map(([count, unit]) => (count > 0 ? `${count}${unit}` : ''))
    .join('')
}
