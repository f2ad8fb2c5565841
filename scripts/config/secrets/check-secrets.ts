import { basename, dirname } from 'node:path'
import { readYaml } from '../../../workflows/model/declaration/yaml-source.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { workflowCommand } from '../../cli/workflow-command.ts'
import { forPeople, invalid, readSource } from '../../declaration/load-cluster.ts'
import { type CommandResult, createRun } from '../../run.ts'
import { isDone, isMissing, notStarted } from '../../tools/ended.ts'
import { sopsCommands, sopsMeaning } from '../../tools/sops.ts'
import { type Bundle, readBundle } from './bundle.ts'
import { openIdentity } from './open-identity.ts'
import type { SecretTools } from './secret-tools.ts'
import { sopsFile } from './sops-file.ts'
import { type SopsRule, sopsRule } from './sops-rule.ts'

/** Secrets that may be given to talhelper. */
export type CheckedSecrets = Bundle & {
  file: string
  /** variables for `createRun({ keys })`: with them sops and talhelper find the identity */
  keys: Record<string, string>
  /** where the identity is: a path or the name of a variable; absent where only sops knows */
  openedBy?: string
}

/** How many values in plain text are told one by one. */
const TOLD = 5

/**
 * Looks at a `talsecret.sops.yaml` (absolute path) from all sides: every value is encrypted, a rule of .sops.yaml would
 * encrypt it again, the identity is there, safe and the right one, sops finds the MAC right, and a whole bundle is in it.
 * Fails with everything that is wrong at once. The plain text is in memory only, and gone when this returns.
 */
export async function checkSecrets({
  file,
  dir,
  tools,
  others = [],
}: {
  file: string
  /** the folder that holds `clusters/`, and maybe `age.key` */
  dir: string
  tools: SecretTools
  /** more files in which the identity may be */
  others?: readonly string[]
}): Promise<Result<CheckedSecrets, Failure[]>> {
  const text = readSource(file)
  const init = workflowCommand('init', basename(dirname(file)), dir)
  if (text === undefined)
    return {
      ok: false,
      failure: [failure('secrets-missing', { detail: `there is no ${forPeople(file)}`, hint: init })],
    }
  const source = readYaml(text)
  if (source.problems.length > 0) return { ok: false, failure: source.problems.map(invalid) }
  const seen = sopsFile(source)
  const rule = sopsRule(file, tools.env)
  const failures = ruleFailures(rule, text.path, init)
  if (!seen.encrypted) {
    const detail = `${text.path}:1:1: it is not encrypted at all: it has no sops key`
    const hint = `sops encrypt --in-place ${shellWord(forPeople(file))}`
    return { ok: false, failure: [failure('secrets-not-encrypted', { detail, hint }), ...failures] }
  }
  failures.unshift(...plainFailures(seen, rule, file))

  const { recipients, otherKeys } = seen
  const opened = await openIdentity({ recipients, otherKeys, dir, tools, others })
  if (!opened.ok) return { ok: false, failure: [...failures, ...opened.failure] }
  const { keys, identities } = opened.value
  const config = 'config' in rule && rule.found !== 'broken-config' ? rule.config : undefined
  const decrypted = await createRun({ ...tools, keys })(sopsCommands.decrypt({ config, file }))
  if (!isDone(decrypted)) {
    failures.push(undecipherable(decrypted, { file, path: text.path, recipients }))
    return { ok: false, failure: failures }
  }
  const read = readBundle(decrypted.stdout)
  if (!read.ok) {
    const detail = `${text.path}: what is encrypted in it is not complete: ${read.wrong.join(', ')}`
    failures.push(failure('secrets-unreadable', { detail, hint: `sops edit ${shellWord(forPeople(file))}` }))
  }
  if (!read.ok || failures.length > 0) return { ok: false, failure: failures }
  return { ok: true, value: { ...read.bundle, file, keys, ...(identities && { openedBy: identities.from }) } }
}

function plainFailures({ plain, partly }: ReturnType<typeof sopsFile>, rule: SopsRule, file: string): Failure[] {
  const inRule = rule.found === 'rule' && rule.partly !== undefined
  const cause = partly === undefined ? '' : `, because ${partly}${inRule ? ` (as in ${rule.place})` : ''}`
  const again = partly === undefined ? history(file) : encryptAgain(file, rule)
  const hint = inRule ? `take ${rule.partly} out of the rule, then: ${again}` : again
  const more = plain.length > TOLD ? `, nor are ${plain.length - TOLD} more` : ''
  return plain.slice(0, TOLD).map(({ file, line, col, message }, index) =>
    failure('secrets-not-encrypted', {
      detail: `${file}:${line}:${col}: ${message}${index === 0 ? cause : ''}${index === TOLD - 1 ? more : ''}`,
      ...(index === 0 && { hint }),
    }),
  )
}

/** Of a file that was changed by hand there may be a sound version. */
const history = (file: string): string =>
  `git -C ${shellWord(forPeople(dirname(file)))} log -p ${shellWord(basename(file))}`

function encryptAgain(file: string, rule: SopsRule): string {
  const near = forPeople(file)
  const config = 'config' in rule ? `--config ${shellWord(forPeople(rule.config))} ` : ''
  const from = `--filename-override ${shellWord(near)} --output ${shellWord(`${near}.new`)}`
  return `sops decrypt ${shellWord(near)} | sops ${config}encrypt ${from} && mv ${shellWord(`${near}.new`)} ${shellWord(near)}`
}

function ruleFailures(rule: SopsRule, file: string, init: string): Failure[] {
  switch (rule.found) {
    case 'no-config':
      return [
        failure('sops-rule-missing', {
          detail: `there is no .sops.yaml for ${file}, in its folder or above`,
          hint: init,
        }),
      ]
    case 'broken-config':
      return rule.problems.map(invalid)
    case 'no-rule': {
      const detail = `none of the ${rule.rules} rules of ${forPeople(rule.config)} fits ${file}`
      return [failure('sops-rule-missing', { detail, hint: init })]
    }
    case 'rule':
      return []
  }
}

function undecipherable(
  result: CommandResult,
  { file, path, recipients }: { file: string; path: string; recipients: readonly string[] },
): Failure {
  if (isMissing(result)) return notStarted('sops', result)
  const code = result.ended.by === 'exit' ? result.ended.code : 0
  if (code === 128) {
    const who = recipients.length > 0 ? ` (it is encrypted for ${recipients.join(', ')})` : ''
    return failure('identity-missing', {
      detail: `${path}: ${sopsMeaning(result)}${who}`,
      hint: `sops decrypt ${shellWord(forPeople(file))} > /dev/null`,
    })
  }
  const hint = [24, 25, 51, 52].includes(code)
    ? history(file)
    : `sops decrypt ${shellWord(forPeople(file))} > /dev/null`
  return failure('secrets-unreadable', { detail: `${path}: ${sopsMeaning(result)}`, hint })
}
