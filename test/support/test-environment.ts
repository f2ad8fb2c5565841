import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { createToolProgress } from '../../scripts/toolchain/tool-progress.ts'
import { type ToolName, toolTable } from '../../scripts/toolchain/tool-table.ts'
import { nodeOptionsOf, writePlainJavaScript } from './plain-javascript.ts'

/**
 * The environment of the tests: the tools by name, nothing of the clusters that the person at this machine has, and where
 * memory has a folder for temporary files, that, our sources as JavaScript, and secrets for labs. Nothing where a tool can
 * not be had, which is said.
 */
export async function testEnvironment(
  root: string,
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
    NODE_OPTIONS: _______,
    ...env
  } = process.env
  const progress = createToolProgress(process.stderr)
  for (const name of Object.keys(toolTable) as ToolName[]) {
    const tool = await progress.follow(name, (report) => resolveTool(name, { signal, report }))
    if (!tool.found) return undefined
    env[toolTable[name].override] = tool.path
  }
  if (tmpdir === undefined) return env
  const javascript = join(tmpdir, 'javascript')
  await writePlainJavaScript(root, javascript)
  const secrets = join(tmpdir, 'secrets.yaml')
  execFileSync(env[toolTable['talosctl-1.13'].override] ?? '', ['gen', 'secrets', '-o', secrets])
  return { ...env, TMPDIR: tmpdir, NODE_OPTIONS: nodeOptionsOf(javascript), LAB_SECRETS: secrets }
}
