import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { createRun, type Run } from '../../run.ts'
import { isDone } from '../../tools/ended.ts'
import { brokenOff, gitCommands, gitPaths } from '../../tools/git.ts'
import { findIdentities, type Identities, unreadIdentities } from './find-identities.ts'
import type { SecretTools } from './secret-tools.ts'

/** What sops and talhelper are started with, so that they find the identity that was found. */
export type OpenedIdentity = {
  keys: Record<string, string>
  /** absent where only sops can tell which key opens the file */
  identities?: Identities
}

/**
 * The age identity that opens what is encrypted for one of `recipients`. Fails with `identity-missing`, and for a file
 * that others may read or that git holds. `otherKeys`: age is not the only way, so sops may decide.
 */
export async function openIdentity({
  recipients,
  otherKeys,
  dir,
  tools,
  others = [],
}: {
  recipients: readonly string[]
  otherKeys: boolean
  dir: string
  tools: SecretTools
  others?: readonly string[]
}): Promise<Result<OpenedIdentity, Failure[]>> {
  const run = createRun(tools)
  const found = await findIdentities({ dir, env: tools.env, run, others })
  const fitting = found.find((identities) => identities.recipients.some((recipient) => recipients.includes(recipient)))
  if (fitting === undefined) {
    // ssh keys and plugins say nothing of their recipients to age-keygen
    const opaque = found.some((identities) => identities.recipients.length === 0)
    const foreign = recipients.some((recipient) => !/^age1(pq1)?[a-z0-9]{40,}$/.test(recipient))
    if (otherKeys || opaque || foreign) return { ok: true, value: { keys: {} } }
    const unread = unreadIdentities({ dir, env: tools.env, others })
    return { ok: false, failure: [missing(recipients, found, unread)] }
  }
  const failures = fitting.isFile ? await exposed(fitting.from, run) : []
  if (failures.length > 0) return { ok: false, failure: failures }
  return {
    ok: true,
    value: { keys: fitting.isFile ? { SOPS_AGE_KEY_FILE: fitting.from } : {}, identities: fitting },
  }
}

function missing(recipients: readonly string[], found: readonly Identities[], unread: readonly Failure[]): Failure {
  const seen = found.map(({ from, recipients }) => `${recipients.join(', ')} in ${from}`)
  const said = [
    ...(seen.length === 0 ? [] : [`found ${seen.join('; ')}`]),
    ...unread.flatMap(({ detail }) => detail ?? []),
  ]
  return failure('identity-missing', {
    detail: `no age identity opens it: it is encrypted for ${recipients.join(', ')}; ${
      said.length === 0 ? 'none was found' : said.join('; ')
    }`,
    hint: unread[0]?.hint ?? 'name the file with the identity in SOPS_AGE_KEY_FILE',
  })
}

/** Why a file with identities is not safe where it is. */
export async function exposed(file: string, run: Run): Promise<Failure[]> {
  const failures: Failure[] = []
  const mode = statSync(file).mode & 0o777
  if (mode & 0o077)
    failures.push(
      failure('identity-exposed', {
        detail: `${file} may be read by others (its mode is 0${mode.toString(8)})`,
        hint: `chmod 600 ${shellWord(file)}`,
      }),
    )
  const tracked = await run(gitCommands.tracked(dirname(file), [`:(literal)${basename(file)}`]))
  failures.push(...brokenOff(dirname(file), tracked))
  if (isDone(tracked) && gitPaths(tracked.stdout).length > 0)
    failures.push(
      failure('secret-in-git', {
        detail: `${file} is in git: everyone with the repository can read the secrets, also later from its history`,
        hint: `git -C ${shellWord(dirname(file))} rm --cached ${shellWord(basename(file))}`,
      }),
    )
  return failures
}
