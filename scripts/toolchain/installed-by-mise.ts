import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import compare from 'semver/functions/rcompare.js'
import satisfies from 'semver/functions/satisfies.js'
import valid from 'semver/functions/valid.js'
import type { Tool } from './tool-table.ts'

/**
 * Where mise would have the versions of a tool that fit, the newest first: PATH shows only the one that is in use in
 * this folder. Its backends differ in whether there is a `bin`.
 */
export async function installedByMise({ program, range }: Tool, env: NodeJS.ProcessEnv): Promise<string[]> {
  const folder = join(miseData(env), 'installs', program)
  const versions = await readdir(folder).catch(() => [])
  return versions
    .filter((version) => valid(version) && satisfies(version, range))
    .sort(compare)
    .flatMap((version) => [join(folder, version, program), join(folder, version, 'bin', program)])
}

function miseData(env: NodeJS.ProcessEnv): string {
  const { MISE_DATA_DIR: named, XDG_DATA_HOME: data } = env
  if (named && isAbsolute(named)) return named
  return join(data && isAbsolute(data) ? data : join(env.HOME || homedir(), '.local', 'share'), 'mise')
}
