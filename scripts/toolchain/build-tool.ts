import { spawn } from 'node:child_process'
import { readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import satisfies from 'semver/functions/satisfies.js'
import { failureOfDisk, onDisk } from '../disk/on-disk.ts'
import { acquireBuildLock } from './build-lock.ts'
import { findTool, type ToolSearch } from './find-tool.ts'
import { builtToolPath, toolModule } from './tool-cache.ts'
import type { Tool, ToolName } from './tool-table.ts'
import { toolVersion } from './tool-version.ts'

/** What a build tells while it goes on; `detail` is the last thing that it said. */
export type BuildEvent = { readonly tool: ToolName; readonly doing: 'building' | 'waiting'; readonly detail: string }

const linesKept = 15

/**
 * Builds a tool from its pinned module into the cache and returns it. A second process waits for the first instead of
 * building twice. Rejects only when `signal` aborts; a build that fails is an answer.
 */
export async function buildTool(
  tool: Tool,
  { env, signal, report }: { env: NodeJS.ProcessEnv; signal: AbortSignal; report: (event: BuildEvent) => void },
): Promise<ToolSearch> {
  const path = await builtToolPath(tool, env)
  const release = await acquireBuildLock(dirname(path), {
    signal,
    onWait: (holder) => report({ tool: tool.name, doing: 'waiting', detail: `for ${holder}, which builds it` }),
  }).catch((error: Error) => {
    if (signal.aborted) throw error
    return error
  })
  if (release instanceof Error) return cannotBuild(tool, failureOfDisk(release)?.detail ?? release.message)
  try {
    const meanwhile = await findTool(tool.name, env)
    if (meanwhile.found) return meanwhile
    return await buildInto(tool, path, { env, signal, report })
  } catch (error) {
    const unwritten = failureOfDisk(error)
    if (signal.aborted || unwritten === undefined) throw error
    return cannotBuild(tool, unwritten.detail ?? '')
  } finally {
    // where it can not be given back it is stale when this process has ended
    onDisk(release)
  }
}

async function buildInto(
  tool: Tool,
  path: string,
  { env, signal, report }: { env: NodeJS.ProcessEnv; signal: AbortSignal; report: (event: BuildEvent) => void },
): Promise<ToolSearch> {
  await removeUnfinished(dirname(path))
  const unfinished = join(dirname(path), `unfinished.${process.pid}`)
  try {
    const failure = await goBuild(tool, unfinished, {
      env,
      signal,
      onLine: (detail) => report({ tool: tool.name, doing: 'building', detail }),
    })
    if (failure !== undefined) return cannotBuild(tool, failure)
    const version = await toolVersion(tool, unfinished, env)
    if (version === undefined || !satisfies(version, tool.range))
      return cannotBuild(tool, `the build says that it is ${version ?? 'nothing known'}; ${tool.range} is needed`)
    await rename(unfinished, path)
    return { found: true, name: tool.name, path, version, source: 'build' }
  } finally {
    await rm(unfinished, { force: true })
  }
}

function cannotBuild(tool: Tool, why: string): ToolSearch {
  const detail = `${tool.name} cannot be built: ${why}`
  return { found: false, name: tool.name, buildable: true, detail, hint: tool.mise }
}

/** Resolves to what went wrong, or to undefined. */
async function goBuild(
  tool: Tool,
  output: string,
  { env, signal, onLine }: { env: NodeJS.ProcessEnv; signal: AbortSignal; onLine: (line: string) => void },
): Promise<string | undefined> {
  const argv = ['build', '-v', '-trimpath', '-mod=readonly', `-ldflags=${tool.ldflags}`, '-o', output, tool.goPackage]
  const go = spawn('go', argv, {
    cwd: toolModule(tool),
    // A go.work of the folders above would replace the pins.
    env: { ...env, GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
    // go stops its compilers on SIGINT; on SIGTERM it leaves them behind.
    killSignal: 'SIGINT',
  })
  const last: string[] = []
  go.on('spawn', () => onLine(`${tool.pinned} from its pinned module`))
  createInterface({ input: go.stderr }).on('line', (line) => {
    onLine(line)
    last.push(line)
    if (last.length > linesKept) last.shift()
  })
  return await new Promise((resolve, reject) => {
    go.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason)
      else resolve(error.code === 'ENOENT' ? 'there is no Go to build it with' : error.message)
    })
    go.on('close', (code) => {
      if (signal.aborted) reject(signal.reason)
      else resolve(code === 0 ? undefined : [`go build ended with ${code}`, ...last].join('\n  '))
    })
  })
}

/** A build that was killed leaves 100 MB; whoever holds the lock may remove it. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.startsWith('unfinished.')) await rm(join(folder, name), { force: true })
}
