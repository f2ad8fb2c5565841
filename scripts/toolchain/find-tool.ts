import { delimiter, isAbsolute, join } from 'node:path'
import satisfies from 'semver/functions/satisfies.js'
import { installedByMise } from './installed-by-mise.ts'
import { isProgram } from './on-path.ts'
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
      readonly source: 'environment' | 'PATH' | 'mise' | 'cache' | 'build'
    }
  | {
      readonly found: false
      readonly name: ToolName
      /** false where a build would not help, because the override variable names a program that does not fit */
      readonly buildable: boolean
      readonly detail: string
      readonly hint: string
    }

/**
 * Looks for a tool in a version that fits: the override variables, PATH, what mise has installed, then the cache of
 * builds. Starts no build.
 */
export async function findTool(name: ToolName, env: NodeJS.ProcessEnv = process.env): Promise<ToolSearch> {
  const tool = toolTable[name]
  const unfit: string[] = []
  for await (const { source, path, variable } of candidates(tool, env)) {
    // Whoever names a program wants that one or an answer, not another one.
    if (variable !== undefined && !isProgram(path)) return notThere(tool, variable, path)
    const version = await toolVersion(tool, path, env)
    if (version !== undefined && satisfies(version, tool.range)) return { found: true, name, path, version, source }
    unfit.push(`${path} ${version === undefined ? 'does not tell its version' : `is ${version}`}`)
    if (variable === undefined || (variable === tool.sharedOverride && servesAnother(tool, version))) continue
    return missing(tool, { unfit, unset: variable })
  }
  return missing(tool, { unfit })
}

/** A variable that several minor versions share is for the one that it names. */
function servesAnother(tool: Tool, version: string | undefined): boolean {
  const minor = version && /^\d+\.\d+/.exec(version)?.[0]
  return minor !== undefined && tool.name !== `${tool.program}-${minor}` && `${tool.program}-${minor}` in toolTable
}

function missing(tool: Tool, { unfit, unset }: { unfit: string[]; unset?: string }): ToolSearch {
  const detail =
    unfit.length === 0 ? 'is not on PATH and not built' : `does not fit: ${unfit.join(', ')}; ${tool.range} is needed`
  const hint = unset === undefined ? tool.mise : `unset ${unset}`
  return { found: false, name: tool.name, buildable: unset === undefined, detail: `${tool.name} ${detail}`, hint }
}

function notThere(tool: Tool, variable: string, path: string): ToolSearch {
  const detail = `${variable} names ${path}, which is no program that can be run`
  return { found: false, name: tool.name, buildable: false, detail, hint: `unset ${variable}` }
}

type Candidate = { source: 'environment' | 'PATH' | 'mise' | 'cache'; path: string; variable?: string }

async function* candidates(tool: Tool, env: NodeJS.ProcessEnv): AsyncGenerator<Candidate> {
  for (const variable of [tool.override, tool.sharedOverride]) {
    const named = variable && env[variable]
    if (variable && named) yield { source: 'environment', path: named, variable }
  }
  const names = tool.name === tool.program ? [tool.program] : [tool.program, tool.name]
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute)
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name))))
    if (isProgram(path)) yield { source: 'PATH', path }
  for (const path of await installedByMise(tool, env)) if (isProgram(path)) yield { source: 'mise', path }
  const path = await builtToolPath(tool, env)
  if (isProgram(path)) yield { source: 'cache', path }
}
