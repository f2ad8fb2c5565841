import { dirname, join, resolve } from 'node:path'
import { parseTalenv } from '../../workflows/model/declaration/parse-talenv.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { failure } from '../../workflows/model/failure.ts'
import { reject } from '../cli/command.ts'
import type { CommonFlags } from '../cli/flags.ts'
import { invalid, readSource } from '../declaration/load-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'

/** Holds one talenv.yaml, and the operations.yaml beside it, against all rules: 0, or 65 with every mistake. */
export function validateTalenv(file: string | undefined, common: CommonFlags): ExitCode {
  if (file === undefined)
    return reject([failure('usage', { detail: '--file is missing', hint: '--file <path>' })], common)
  const paths = [resolve(file), join(dirname(resolve(file)), 'operations.yaml')]
  const read = onDisk(() => paths.map(readSource), 'declaration-invalid')
  if (!read.ok) return reject([read.failure], common)
  const [talenv, operations] = read.value
  if (talenv === undefined) return reject([failure('cluster-unknown', { detail: `there is no ${file}` })], common)
  const parsed = parseTalenv({ talenv, operations })
  return parsed.ok ? EXIT_CODES.done : reject(parsed.problems.map(invalid), common)
}
