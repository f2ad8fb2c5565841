import { appendFileSync, closeSync, openSync } from 'node:fs'
import type { LabEvent, LoggedEvent } from './lab-event.ts'

/**
 * The lab's log: an NDJSON file that is appended to synchronously, and listeners that are told right after.
 * Without a path it only tells its listeners, which is what unit tests need.
 */
export class LabLog {
  readonly #listeners = new Set<(event: LoggedEvent) => void>()
  readonly #now: () => Date
  #file: number | undefined

  constructor(options: { path?: string; now?: () => Date } = {}) {
    this.#now = options.now ?? (() => new Date())
    this.#file = options.path === undefined ? undefined : openSync(options.path, 'a', 0o600)
  }

  /** Writes one event; the event is in the file when this returns. */
  append(event: LabEvent): void {
    const logged: LoggedEvent = { at: this.#now().toISOString(), ...event }
    if (this.#file !== undefined) appendFileSync(this.#file, JSON.stringify(logged) + '\n')
    for (const listener of [...this.#listeners]) listener(logged)
  }

  /** Calls `listener` for every event from now on; returns how to stop that. */
  on(listener: (event: LoggedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }
}
