import { eventLine } from './event-line.ts'
import type { View } from './view.ts'

/** The events themselves, one JSON object a line (NDJSON), each with the version of this form and its time. */
export function createJsonView({ write, now }: { write: (text: string) => void; now: () => Date }): View {
  return {
    async close() {},
    handle(event) {
      write(eventLine(event, now()))
    },
  }
}
