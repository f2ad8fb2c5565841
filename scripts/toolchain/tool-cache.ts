import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Tool } from './tool-table.ts'

/** The folder outside the checkout where built tools and their remembered versions live. */
export function toolCache(env: NodeJS.ProcessEnv): string {
  // The XDG specification tells readers to ignore a relative path.
  const base = env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(home(env), '.cache')
  return join(base, 'talos-workflows', 'tools')
}

/** The folder with the pinned go.mod and go.sum of a tool. */
export function toolModule(tool: Tool): string {
  return join(import.meta.dirname, tool.module)
}

/** Where the build of exactly this pin belongs, whether or not it is there yet. */
export async function builtToolPath(tool: Tool, env: NodeJS.ProcessEnv): Promise<string> {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(await readFile(join(toolModule(tool), file))).update('\0')
  // A home folder can be shared by machines of different kinds.
  hash.update([tool.goPackage, tool.ldflags, process.platform, process.arch].join('\0'))
  return join(toolCache(env), `${tool.program}-${hash.digest('hex').slice(0, 16)}`, tool.program)
}

// What the caller's environment says wins over this process's own, so that a test with its own HOME stays in it.
const home = (env: NodeJS.ProcessEnv): string => env.HOME || homedir()
