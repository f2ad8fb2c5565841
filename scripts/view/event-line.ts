import { redactValue } from './redact.ts'

/** An event as scripts read it: one JSON object a line, with the version of this form and its time, and without secrets. */
export const eventLine = (event: object, at: Date): string =>
  `${JSON.stringify({ v: 1, at: at.toISOString(), ...event }, redactValue)}\n`
