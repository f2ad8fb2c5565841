/** Gathers what comes bit by bit, so that as much as possible is dealt with at once. */
export type Gathering<T> = {
  /** These came, an answer after so long. */
  add: (items: readonly T[], tookMs: number) => void
  /** Nobody is to come any more but so many, and they are asked alone: waiting for them may be in vain. */
  narrowed: (left: number) => void
  /** Deals with the rest, and waits until all is dealt with. */
  end: () => Promise<void>
}

/**
 * Waits for all, or until only those are left who are asked alone, and for them as long again as the others took: they may
 * be a little slower. Half of the time stays for `deal` in any case. Who comes later waits for all but the last.
 */
export function createGathering<T>(deal: (items: readonly T[]) => Promise<void>, deadlineAt: number): Gathering<T> {
  const dealt: Promise<void>[] = []
  let due: T[] = []
  let slowestMs = 0
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    clearTimeout(timer)
    timer = undefined
  }
  const now = () => {
    stop()
    if (due.length === 0) return
    const items = due
    due = []
    dealt.push(deal(items))
  }
  const halfMs = () => (deadlineAt - performance.now()) / 2
  return {
    add: (items, tookMs) => {
      if (items.length === 0) return
      due.push(...items)
      slowestMs = Math.max(slowestMs, tookMs)
      timer ??= setTimeout(now, halfMs())
    },
    narrowed: (left) => {
      if (due.length === 0 || (dealt.length > 0 && left > 1)) return
      stop()
      timer = setTimeout(now, left === 0 || dealt.length > 0 ? 0 : Math.min(slowestMs, halfMs()))
    },
    end: async () => {
      now()
      await Promise.all(dealt)
    },
  }
}
