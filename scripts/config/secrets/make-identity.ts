import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { createWhole } from '../../disk/create-whole.ts'
import { createRun } from '../../run.ts'
import { ageKeygenCommands, ageRecipients } from '../../tools/age-keygen.ts'
import { isDone } from '../../tools/ended.ts'
import type { SecretTools } from './secret-tools.ts'

/** Makes a new age identity in `file`, for its owner's eyes only, and tells its recipient. Fails when the file exists. */
export async function makeIdentity(file: string, tools: SecretTools): Promise<Result<string, Failure[]>> {
  const run = createRun(tools)
  const made = await run(ageKeygenCommands.generate())
  const [recipient] = ageRecipients((await run(ageKeygenCommands.recipientsOfText(made.stdout))).stdout)
  if (!isDone(made) || recipient === undefined)
    return {
      ok: false,
      failure: [failure('identity-missing', { detail: 'age-keygen made no identity', hint: 'age-keygen --version' })],
    }
  if (createWhole(file, made.stdout, 0o600)) return { ok: true, value: recipient }
  const detail = `${file} appeared meanwhile`
  return { ok: false, failure: [failure('identity-missing', { detail, hint: 'run the same command again' })] }
}
