import { accessSync, constants, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
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

/** Where the user's own identities are by default, for sops and for us. */
export function defaultIdentityFile(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_CONFIG_HOME
  return join(xdg && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), '.config'), 'sops', 'age', 'keys.txt')
}

/**
 * Every place where sops, or a person who runs this project, may keep age identities: the variables of sops, `age.key` in
 * `dir`, the user's keys.txt, and `others`. In the order in which they are preferred.
 */
export async function findIdentities({
  dir,
  env,
  run,
  others = [],
  platform = process.platform,
}: {
  dir: string
  env: NodeJS.ProcessEnv
  run: Run
  others?: readonly string[]
  platform?: NodeJS.Platform
}): Promise<Identities[]> {
  const files = [
    ...others,
    ...(env.SOPS_AGE_KEY_FILE ? [env.SOPS_AGE_KEY_FILE] : []),
    join(dir, 'age.key'),
    defaultIdentityFile(env),
    ...(platform === 'darwin'
      ? [join(env.HOME || homedir(), 'Library', 'Application Support', 'sops', 'age', 'keys.txt')]
      : []),
  ].map((file) => resolve(file))
  const known = [...new Set(files)].filter(isReadable).map(async (file) => ({
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

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
