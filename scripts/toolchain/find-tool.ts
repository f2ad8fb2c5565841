import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import satisfies from 'semver/functions/satisfies.js'
import { builtToolPath } from './tool-cache.ts'
import { type Tool, type ToolName, toolTable } from './tool-table.ts'
import { toolVersion } from './tool-version.ts'

/** A tool that can be used, or why there is none and what to type to get it (exit code 69). */
export type ToolSearch =
  | {
      readonly found: true
      readonly name: ToolName
      readonly path: string
      readonly version: string
      readonly source: 'environment' | 'PATH' | 'cache' | 'build'
    }
  | {
      readonly found: false
      readonly name: ToolName
      /** false where a build would not help, because the override variable names a program that does not fit */
      readonly buildable: boolean
      readonly detail: string
      readonly hint: string
    }

/** Looks for a tool in a version that fits: the override variable, PATH, then the cache of builds. Starts no build. */
export async function findTool(name: ToolName, env: NodeJS.ProcessEnv = process.env): Promise<ToolSearch> {
  const tool = toolTable[name]
  const unfit: string[] = []
  for await (const { source, path } of candidates(tool, env)) {
    const version = await toolVersion(tool, path, env)
    if (version !== undefined && satisfies(version, tool.range)) return { found: true, name, path, version, source }
    unfit.push(`${path} ${version === undefined ? 'does not tell its version' : `is ${version}`}`)
    // Whoever names a program wants that one or an answer, not another one.
    if (source === 'environment') return missing(tool, { unfit, buildable: false })
  }
  return missing(tool, { unfit, buildable: true })
}

function missing(tool: Tool, { unfit, buildable }: { unfit: string[]; buildable: boolean }): ToolSearch {
  const detail =
    unfit.length === 0 ? 'is not on PATH and not built' : `does not fit: ${unfit.join(', ')}; ${tool.range} is needed`
  const hint = buildable ? tool.mise : `unset ${tool.override}`
  return { found: false, name: tool.name, buildable, detail: `${tool.name} ${detail}`, hint }
}

type Candidate = { source: 'environment' | 'PATH' | 'cache'; path: string }

async function* candidates(tool: Tool, env: NodeJS.ProcessEnv): AsyncGenerator<Candidate> {
  const named = env[tool.override]
  if (named && (await isExecutable(named))) yield { source: 'environment', path: named }
  for (const folder of (env.PATH ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, tool.name)
    if (await isExecutable(path)) yield { source: 'PATH', path }
  }
  const path = await builtToolPath(tool, env)
  if (await isExecutable(path)) yield { source: 'cache', path }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
