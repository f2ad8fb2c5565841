import type { RunEvent } from '../../workflows/model/event.ts'

/** Something that shows a run. A consumer of events and nothing else: what it does or fails to do never steers a run. */
export interface View {
  /** Never throws and never waits; events of several nodes come in any order. */
  handle(event: RunEvent): void
  /** Leaves the terminal as it should be left; call it once, after the last event, also when there was none. */
  close(): Promise<void>
}
