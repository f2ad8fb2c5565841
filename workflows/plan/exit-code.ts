/** How a run ends, from what failed in it; verdicts and exit code belong together (README has the table). */
import { EXIT_CODES, type ExitCode, type ExitName } from '../model/exit-code.ts'
import { FAILURES, type Failure } from '../model/failure.ts'

/** The gravest reason decides. */
const GRAVITY: readonly ExitName[] = ['failed', 'refused', 'unavailable', 'declaration', 'usage', 'tryAgain']

/** Codes that say that nothing was changed. */
const UNTOUCHED: readonly ExitName[] = ['unavailable', 'tryAgain']

/** 0 when nothing failed. What the codes of a run that could not begin promise, a run that `changed` a node can not. */
export function exitCodeOf(failures: readonly Failure[], changed = false): ExitCode {
  const ways = new Set<ExitName>(failures.map((f) => FAILURES[f.reason].exit))
  const gravest = GRAVITY.find((way) => ways.has(way))
  if (!gravest) return EXIT_CODES.done
  return EXIT_CODES[changed && UNTOUCHED.includes(gravest) ? 'failed' : gravest]
}
