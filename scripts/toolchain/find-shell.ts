import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { onPath } from './on-path.ts'

/** A short PATH, such as cron's, need not name them. */
const SYSTEM = '/usr/local/bin:/usr/bin:/bin'

/** The bash that starts the tools. Fails with `tool-missing`. */
export function findShell(
  env: Readonly<Record<string, string | undefined>>,
  system: string = SYSTEM,
): Result<string, Failure> {
  const path = onPath('bash', env) ?? onPath('bash', { PATH: system })
  if (path !== undefined) return { ok: true, value: path }
  const detail = 'bash is neither on PATH nor where systems keep it, and it starts the tools'
  return {
    ok: false,
    failure: failure('tool-missing', { detail, hint: 'command -v bash # tells nothing until it is installed' }),
  }
}
