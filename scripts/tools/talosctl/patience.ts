/** How long an answer is waited for before it is asked for in another way, too; nothing that was asked is given up by it. */
export type Patience = {
  /** An answer to the same question came after so long: whoever is silent still is given a few times that. */
  learn: (tookMs: number) => void
  /** What comes in time; undefined where nothing does. */
  spend: <T>(work: Promise<T>, firstMs: number) => Promise<T | undefined>
}

/** How many times as long as others a node may take, so that none is asked twice for being a little slower. */
const TIMES = 4

/** `leastMs`: how long is waited at least, however fast the others were. */
export function createPatience(leastMs: number): Patience {
  let slowestMs: number | undefined
  const waiting = new Set<() => void>()
  return {
    learn: (tookMs) => {
      slowestMs = Math.max(slowestMs ?? 0, tookMs)
      for (const wind of waiting) wind()
    },
    spend: (work, firstMs) =>
      new Promise((resolve, reject) => {
        const beganAt = performance.now()
        let late: NodeJS.Timeout | undefined
        const end = () => {
          clearTimeout(late)
          waiting.delete(wind)
        }
        const wind = () => {
          clearTimeout(late)
          const limitMs = slowestMs === undefined ? firstMs : Math.min(firstMs, Math.max(leastMs, TIMES * slowestMs))
          late = setTimeout(
            () => {
              end()
              resolve(undefined)
            },
            limitMs - (performance.now() - beganAt),
          )
        }
        waiting.add(wind)
        wind()
        work.finally(end).then(resolve, reject)
      }),
  }
}
