/** `0.4s`, `41s`, `1m02s`, `1h05m`: as exact as a person watching cares to know. */
export function durationText(ms: number): string {
  const seconds = Math.round(Math.max(ms, 0) / 1000)
  if (ms < 9_950) return `${(Math.max(ms, 0) / 1000).toFixed(1)}s`
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  const two = (n: number) => String(n).padStart(2, '0')
  return minutes < 60 ? `${minutes}m${two(seconds % 60)}s` : `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`
}
