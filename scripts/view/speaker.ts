import type { RunEvent } from '../../workflows/model/event.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { finished } from '../../workflows/model/finished.ts'
import type { OutputChoice } from '../cli/flags.ts'
import { eventLine } from './event-line.ts'
import { processTookMs } from './process-took-ms.ts'
import { redact } from './redact.ts'

export type Speaker = { line(text: string): void; end(exitCode: ExitCode, next?: string): ExitCode }

/** Results go to stdout: sentences for people, notices and one `run.finished` for scripts, nothing for cron. */
export function speaker(output: OutputChoice): Speaker {
  const write = (text: string) => void process.stdout.write(redact(`${text}\n`))
  const event = (said: RunEvent) => void process.stdout.write(eventLine(said, new Date()))
  if (output === 'quiet') return { line: () => {}, end: (exitCode) => exitCode }
  if (output === 'json')
    return {
      line: (text) => event({ type: 'notice', text }),
      end: (exitCode, next) => {
        event(finished({ exitCode, tookMs: processTookMs(), next }))
        return exitCode
      },
    }
  return {
    line: write,
    end: (exitCode, next) => {
      if (next !== undefined) write(`Next: ${next}`)
      return exitCode
    },
  }
}
