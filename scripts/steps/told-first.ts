import type { Result } from '../../workflows/model/failure.ts'

/**
 * Looks for a change that is guarded by the version of what was seen: the first one takes what a stream told, where that is enough
 * to begin with, and every other one reads.
 */
export function toldFirst<Seen>(
  told: Seen | undefined,
  read: () => Promise<Result<Seen>>,
): () => Promise<Result<Seen>> {
  let first = told
  return async () => {
    const now = first
    first = undefined
    return now === undefined ? read() : { ok: true, value: now }
  }
}
