import type { RunEvent } from '../../workflows/model/event.ts'
import { failureText } from './failure-text.ts'
import { manifestText } from './manifest-text.ts'
import { redact } from './redact.ts'
import type { View } from './view.ts'

/** For cron, which mails whatever is printed: nothing when all is well, else what failed and what to type. */
export function createQuietView({ write }: { write: (text: string) => void }): View {
  let end: Extract<RunEvent, { type: 'run.finished' }> | undefined
  return {
    handle(event) {
      if (event.type === 'run.finished') end = event
    },
    async close() {
      if (end === undefined || end.exitCode === 0) return
      for (const failure of end.failures) write(`${redact(failureText(failure))}\n`)
      write(redact(manifestText(end.failures)))
      if (end.next !== undefined) write(`Next: ${redact(end.next)}\n`)
    },
  }
}
