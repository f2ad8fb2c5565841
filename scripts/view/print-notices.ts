import type { CommonFlags } from '../cli/flags.ts'
import { eventLine } from './event-line.ts'
import { redact } from './redact.ts'

/** Prints sentences as the result of a command: for people, as events, or not at all. */
export function printNotices(texts: readonly string[], { output }: Pick<CommonFlags, 'output'>): void {
  if (output === 'quiet') return
  for (const text of texts)
    process.stdout.write(output === 'json' ? eventLine({ type: 'notice', text }, new Date()) : redact(`${text}\n`))
}
