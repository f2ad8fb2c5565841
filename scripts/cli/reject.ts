import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import { finished } from '../../workflows/model/finished.ts'
import { exitCodeOf } from '../../workflows/plan/exit-code-of.ts'
import { eventLine } from '../view/event-line.ts'
import { failureText } from '../view/failure-text.ts'
import { manifestText } from '../view/manifest-text.ts'
import { processTookMs } from '../view/process-took-ms.ts'
import { redact } from '../view/redact.ts'
import type { CommonFlags } from './flags.ts'

/** Says why nothing was started, or goes on: as people read it, or as the one event that a script waits for. */
export function reject(
  failures: readonly Failure[],
  { output, hint, next, exitCode = exitCodeOf(failures) }: Rejection,
): ExitCode {
  if (output === 'json') {
    const end = finished({ exitCode, failures: [...failures], tookMs: processTookMs(), next })
    process.stdout.write(eventLine(end, new Date()))
    return exitCode
  }
  for (const failure of failures) process.stderr.write(redact(`${failureText(failure)}\n`))
  process.stderr.write(redact(manifestText(failures)))
  if (hint) process.stderr.write(`See ${hint}\n`)
  if (next) process.stderr.write(redact(`Next: ${next}\n`))
  return exitCode
}

type Rejection = {
  output?: CommonFlags['output']
  /** where more is told */
  hint?: string
  /** the command that goes on */
  next?: string
  exitCode?: ExitCode
}
