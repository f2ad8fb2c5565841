/** How a run ends, from what failed in it; verdicts and exit code belong together (README has the table). */
import { EXIT_CODES, type ExitCode, type ExitName } from '../model/exit-code.ts'
import { FAILURES, type Failure } from '../model/failure.ts'

/** The gravest reason decides. */
const GRAVITY: readonly ExitName[] = ['failed', 'refused', 'unavailable', 'declaration', 'usage', 'tryAgain']

/** Codes that say that nothing was changed. */
const UNTOUCHED: readonly ExitName[] = ['unavailable', 'tryAgain']

/** What the codes of a run that could not begin promise, a run that `changed` something can not. */
export const promised = (code: ExitCode, changed: boolean): ExitCode =>
  changed && UNTOUCHED.some((way) => EXIT_CODES[way] === code) ? EXIT_CODES.failed : code

/** 0 when nothing failed. `changed`: an installation was begun, or a machine booted meanwhile. */
export function exitCodeOf(failures: readonly Failure[], changed = false): ExitCode {
  const ways = new Set<ExitName>(failures.map((f) => FAILURES[f.reason].exit))
  const gravest = GRAVITY.find((way) => ways.has(way))
  return gravest ? promised(EXIT_CODES[gravest], changed) : EXIT_CODES.done
}
