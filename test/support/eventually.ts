import { setTimeout } from 'node:timers/promises'

const neverMs = 240_000

/**
 * Resolves to what `look` finds, now or later. Rejects with what `trouble` says when that takes so long that it will not
 * come any more; how long things take is not what tests are about.
 */
export async function eventually<Found>(
  look: () => Found | undefined | Promise<Found | undefined>,
  trouble: () => string,
): Promise<Found> {
  for (const end = performance.now() + neverMs; ; await setTimeout(15)) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error(trouble())
  }
}
