import type { LoggedEvent } from './lab-event.ts'

type LeaseEvent = Extract<LoggedEvent, { type: 'lease.changed' | 'lease.refused' }>

/**
 * Follows the Lease of a cluster. Whoever lost it before its time was over, and writes it again or tries to, lived when
 * it was taken: a dead run's may be taken at once by those who see that it is dead, and one that slept lost it in time.
 */
export class LeaseWatch {
  #held: { holder: string; until: number } | undefined
  /** who took it too early from whom */
  readonly #taken = new Map<string, string>()

  /** What is wrong with it, in a sentence. */
  see(event: LeaseEvent): string | undefined {
    const { holder } = event
    if (event.type === 'lease.changed') this.#change(event)
    const by = holder === undefined ? undefined : this.#taken.get(holder)
    if (holder === undefined || by === undefined) return undefined
    this.#taken.delete(holder)
    return `${by} took the Lease from ${holder}, which lived`
  }

  #change({ holder, seconds = 0, at }: Extract<LeaseEvent, { type: 'lease.changed' }>): void {
    const now = Date.parse(at)
    const before = this.#held
    if (holder !== undefined && before !== undefined && before.holder !== holder && now < before.until) {
      this.#taken.set(before.holder, holder)
    }
    this.#held = holder === undefined ? undefined : { holder, until: now + seconds * 1000 }
  }
}
