/** How a run ends, from what failed in it; verdicts and exit code belong together (README has the table). */
import { EXIT_CODES, type ExitCode, type ExitName } from '../model/exit-code.ts'
import { FAILURES, type Failure } from '../model/failure.ts'

/** The gravest reason decides. */
const GRAVITY: readonly ExitName[] = ['failed', 'refused', 'unavailable', 'declaration', 'usage', 'tryAgain']

/** 0 when nothing failed. */
export function exitCodeOf(failures: readonly Failure[]): ExitCode {
  const ways = new Set<ExitName>(failures.map((f) => FAILURES[f.reason].exit))
  const gravest = GRAVITY.find((way) => ways.has(way))
  return gravest ? EXIT_CODES[gravest] : EXIT_CODES.done
}
