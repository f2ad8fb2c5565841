import { never } from '../engine/never.ts'
import { type BuildEvent, buildTool } from './build-tool.ts'
import { findTool, type ToolSearch } from './find-tool.ts'
import { type ToolName, toolTable } from './tool-table.ts'

/**
 * A tool in a version that fits: found (see `findTool`), else built from its pinned module, which takes minutes when
 * Go's caches are cold. A tool that is there is found without Go and without starting it.
 */
export async function resolveTool(
  name: ToolName,
  {
    env = process.env,
    signal = never,
    report = () => {},
  }: { env?: NodeJS.ProcessEnv; signal?: AbortSignal; report?: (event: BuildEvent) => void } = {},
): Promise<ToolSearch> {
  const there = await findTool(name, env)
  if (there.found || !there.buildable) return there
  const built = await buildTool(toolTable[name], { env, signal, report })
  // Why what is there does not fit is the news; that it could not be built comes second.
  return built.found ? built : { ...built, detail: `${there.detail}; ${built.detail}` }
}
