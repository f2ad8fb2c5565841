import { redact } from '../redact.ts'
import type { View } from './view.ts'

/** The events themselves, one JSON object a line (NDJSON), each with the version of this form and its time. */
export function createJsonView({ write, now }: { write: (text: string) => void; now: () => Date }): View {
  const clean = (_key: string, value: unknown) => (typeof value === 'string' ? redact(value) : value)
  return {
    async close() {},
    handle(event) {
      write(`${JSON.stringify({ v: 1, at: now().toISOString(), ...event }, clean)}\n`)
    },
  }
}
