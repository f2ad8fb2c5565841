import { dirname, join, resolve } from 'node:path'
import { parseTalenv } from '../../workflows/model/declaration/parse-talenv.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { failure } from '../../workflows/model/failure.ts'
import { problemText } from '../../workflows/model/problem.ts'
import type { CommonFlags } from '../cli/flags.ts'
import type { Printout } from '../cli/printout.ts'
import { reject } from '../cli/reject.ts'
import { invalid, readSource } from '../declaration/load-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'
import { redact } from '../view/redact.ts'

/** Holds one talenv.yaml, and the operations.yaml beside it, against all rules: 0, or 65 with every mistake. */
export function validateTalenv(file: string | undefined, common: CommonFlags): Printout {
  if (file === undefined)
    return ended(reject([failure('usage', { detail: '--file is missing', hint: '--file <path>' })], common))
  const paths = [resolve(file), join(dirname(resolve(file)), 'operations.yaml')]
  const read = onDisk(() => paths.map(readSource), 'declaration-invalid')
  if (!read.ok) return ended(reject([read.failure], common))
  const [talenv, operations] = read.value
  if (talenv === undefined)
    return ended(reject([failure('cluster-unknown', { detail: `there is no ${file}` })], common))
  const parsed = parseTalenv({ talenv, operations })
  if (!parsed.ok) return ended(reject(parsed.problems.map(invalid), common))
  if (common.output === 'json') return ended(reject([], common))
  const lines = [...parsed.warnings.map(problemText), `Nothing to mend: ${talenv.path} has no mistake`]
  return { exitCode: EXIT_CODES.done, text: common.output === 'quiet' ? '' : redact(`${lines.join('\n')}\n`) }
}

const ended = (exitCode: ExitCode): Printout => ({ exitCode, text: '' })
