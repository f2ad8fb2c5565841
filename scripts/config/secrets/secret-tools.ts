import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import type { Program } from '../../run.ts'
import { findTool } from '../../toolchain/find-tool.ts'
import type { ToolName } from '../../toolchain/tool-table.ts'

/** Where the tools are, and the environment that they are looked for and started in. */
export type SecretTools = {
  paths: Readonly<Partial<Record<Program, string>>>
  env: NodeJS.ProcessEnv
}

/** Finds the tools that handle secrets; fails with `tool-missing`, once for each that is not there. Builds nothing. */
export async function findSecretTools(
  env: NodeJS.ProcessEnv,
  names: readonly ToolName[] = ['sops', 'age-keygen', 'talhelper'],
): Promise<Result<SecretTools, Failure[]>> {
  const searches = await Promise.all(names.map((name) => findTool(name, env)))
  const failures = searches.flatMap((search) =>
    search.found ? [] : [failure('tool-missing', { detail: search.detail, hint: search.hint })],
  )
  if (failures.length > 0) return { ok: false, failure: failures }
  const paths = Object.fromEntries(searches.flatMap((search) => (search.found ? [[search.name, search.path]] : [])))
  return { ok: true, value: { paths, env } }
}
