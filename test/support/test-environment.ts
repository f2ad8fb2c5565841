import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { createToolProgress } from '../../scripts/toolchain/tool-progress.ts'
import { type ToolName, toolTable } from '../../scripts/toolchain/tool-table.ts'

/**
 * The environment of the tests: the tools by name, a folder for temporary files, and nothing of the clusters that the person at this machine has.
 * Nothing where a tool can not be had, which is said.
 */
export async function testEnvironment(
  signal: AbortSignal,
  tmpdir: string | undefined,
): Promise<NodeJS.ProcessEnv | undefined> {
  const {
    TALOSCONFIG: _,
    KUBECONFIG: __,
    FORCE_COLOR: ___,
    TALOSCTL: ____,
    ETCD: _____,
    TIER: ______,
    ...env
  } = process.env
  const progress = createToolProgress(process.stderr)
  for (const name of Object.keys(toolTable) as ToolName[]) {
    const tool = await progress.follow(name, (report) => resolveTool(name, { signal, report }))
    if (!tool.found) return undefined
    env[toolTable[name].override] = tool.path
  }
  return tmpdir === undefined ? env : { ...env, TMPDIR: tmpdir }
}
