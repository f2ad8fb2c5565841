/** How a run ends before it begins: refused, or told to stop. */
import type { Failure } from '../../workflows/model/failure.ts'
import { commandOf } from '../../workflows/plan/ending.ts'
import { exitCodeOf } from '../../workflows/plan/exit-code-of.ts'
import type { End } from '../../workflows/plan/untouched.ts'
import type { OpenRun } from './open-run.ts'
import { stoppedBy } from './stop.ts'

/** With every reason against it; what was asked to stop is not refused. */
export const refused = (run: OpenRun, failures: readonly Failure[]): End =>
  run.stop.requested.aborted ? stopped(run) : { exitCode: exitCodeOf(failures), failures, next: commandOf(failures) }

/** With the command that goes on. */
export const stopped = ({ stop, call }: OpenRun): End => ({
  exitCode: stoppedBy(stop.by()),
  failures: [],
  next: call.again,
})
