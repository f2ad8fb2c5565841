import type { TalosVersion } from '../../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { Program } from '../../run.ts'
import { findShell } from '../../toolchain/find-shell.ts'
import { findTalosctl } from '../../toolchain/find-talosctl.ts'
import { findTool } from '../../toolchain/find-tool.ts'
import { toolTable } from '../../toolchain/tool-table.ts'

/** Where the tools are, and the environment that they are looked for and started in. */
export type SecretTools = {
  paths: Readonly<Partial<Record<Program, string>>>
  env: NodeJS.ProcessEnv
}

/**
 * Finds the tools that handle secrets, and the talosctl that knows configurations of Talos `judging` where one is to
 * judge them; fails with `tool-missing`, once for each that is not there. Builds nothing.
 */
export async function findSecretTools(
  env: NodeJS.ProcessEnv,
  { judging }: { judging?: TalosVersion } = {},
): Promise<Result<SecretTools, Failure[]>> {
  const searches = await Promise.all([
    ...(['sops', 'age-keygen', 'talhelper'] as const).map((name) => findTool(name, env)),
    ...(judging === undefined ? [] : [findTalosctl(judging, 'change', env)]),
  ])
  const shell = findShell(env)
  const failures = [
    ...(shell.ok ? [] : [shell.failure]),
    ...searches.flatMap((search) =>
      search.found ? [] : [failure('tool-missing', { detail: search.detail, hint: search.hint })],
    ),
  ]
  if (failures.length > 0) return { ok: false, failure: failures }
  const paths = Object.fromEntries(
    searches.flatMap((search) => (search.found ? [[toolTable[search.name].program, search.path]] : [])),
  )
  return { ok: true, value: { paths, env } }
}
