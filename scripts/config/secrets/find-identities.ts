import { closeSync, openSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { Failure } from '../../../workflows/model/failure.ts'
import { onDisk } from '../../disk/on-disk.ts'
import type { Run } from '../../run.ts'
import { ageKeygenCommands, ageRecipients } from '../../tools/age-keygen.ts'
import { isDone } from '../../tools/ended.ts'

/** A place where age identities are, and the recipients that they answer to. Never an identity itself. */
export type Identities = {
  /** a path, or the name of the variable that holds identities */
  from: string
  /** it is a file, and can be named to sops */
  isFile: boolean
  /** public keys; empty where age-keygen can not tell: plugins, ssh keys, commands */
  recipients: string[]
}

type Where = {
  dir: string
  env: NodeJS.ProcessEnv
  others?: readonly string[]
  platform?: NodeJS.Platform
}

/** Where they may lie in files, in the order in which they are preferred. */
function filesOf({ dir, env, others = [], platform = process.platform }: Where): string[] {
  const files = [
    ...others,
    ...(env.SOPS_AGE_KEY_FILE ? [env.SOPS_AGE_KEY_FILE] : []),
    join(dir, 'age.key'),
    defaultIdentityFile(env),
    ...(platform === 'darwin'
      ? [join(env.HOME || homedir(), 'Library', 'Application Support', 'sops', 'age', 'keys.txt')]
      : []),
  ]
  return [...new Set(files.map((file) => resolve(file)))]
}

/** Where the user's own identities are by default, for sops and for us. */
export function defaultIdentityFile(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_CONFIG_HOME
  return join(xdg && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), '.config'), 'sops', 'age', 'keys.txt')
}

/**
 * Every place where sops, or a person who runs this project, may keep age identities: the variables of sops, `age.key` in
 * `dir`, the user's keys.txt, and `others`. In the order in which they are preferred.
 */
export async function findIdentities({ run, ...where }: Where & { run: Run }): Promise<Identities[]> {
  const { env } = where
  const known = filesOf(where)
    .filter(isReadable)
    .map(async (file) => ({
      from: file,
      isFile: true,
      recipients: await recipients(run, ageKeygenCommands.recipientsOfFile(file)),
    }))
  const text = env.SOPS_AGE_KEY
  const inVariable = text
    ? [
        {
          from: 'SOPS_AGE_KEY',
          isFile: false,
          // sops takes several in one line, age-keygen one a line
          recipients: await recipients(run, ageKeygenCommands.recipientsOfText(`${onePerLine(text)}\n`)),
        },
      ]
    : []
  // what a command or ssh would give is for sops to find out
  const opaque = ['SOPS_AGE_KEY_CMD', 'SOPS_AGE_SSH_PRIVATE_KEY_FILE', 'SOPS_AGE_SSH_PRIVATE_KEY_CMD']
    .filter((name) => env[name])
    .map((from) => ({ from, isFile: false, recipients: [] }))
  return [...inVariable, ...(await Promise.all(known)), ...opaque]
}

/** Why files that may hold identities can not be read: one that is named, or lies where it is looked for, is not absent. */
export const unreadIdentities = (where: Where): Failure[] =>
  filesOf(where).flatMap((file) => {
    const looked = onDisk(() => look(file), 'identity-missing')
    return looked.ok ? [] : [looked.failure]
  })

async function recipients(run: Run, command: ReturnType<typeof ageKeygenCommands.recipientsOfFile>): Promise<string[]> {
  const answer = await run(command)
  return isDone(answer) ? ageRecipients(answer.stdout) : []
}

const onePerLine = (text: string): string =>
  text
    .split('\n')
    .flatMap((line) => (line.startsWith('#') ? [] : line.trim().split(/\s+/)))
    .filter(Boolean)
    .join('\n')

const isReadable = (file: string): boolean => {
  const looked = onDisk(() => look(file), 'identity-missing')
  return looked.ok && looked.value
}

/** Whether a file is there; throws where it may not be read. */
function look(file: string): boolean {
  const there = statSync(file, { throwIfNoEntry: false })
  if (!there?.isFile()) return false
  closeSync(openSync(file, 'r'))
  return true
}
