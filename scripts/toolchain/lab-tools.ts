/** The programs that a lab runs: found, or built, which is said before it begins. */
import { findTool } from './find-tool.ts'
import { resolveTool } from './resolve-tool.ts'
import { createToolProgress, type ProgressStream } from './tool-progress.ts'
import type { ToolName } from './tool-table.ts'

export type LabTools = {
  talosctl: string
  etcd: { '3.6': string; '3.7': string }
  kubernetes?: { apiServer: string; controllerManager: string; scheduler: string }
}

/** The secrets of the cluster are made by the one, its members run by the others: nodes cross from 1.13 to 1.14. */
const ALWAYS = ['talosctl-1.13', 'etcd-3.6', 'etcd-3.7'] as const satisfies readonly ToolName[]
const OF_KUBERNETES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
] as const satisfies readonly ToolName[]

/** Undefined where one is neither there nor can be built, which `stream` is told as well. */
export async function labTools(
  { kubernetes }: { kubernetes: boolean },
  { stream, env = process.env }: { stream: ProgressStream; env?: NodeJS.ProcessEnv },
): Promise<LabTools | undefined> {
  const names = [...ALWAYS, ...(kubernetes ? OF_KUBERNETES : [])]
  const found = new Map((await Promise.all(names.map((name) => findTool(name, env)))).map((tool) => [tool.name, tool]))
  const missing = names.filter((name) => found.get(name)?.found === false)
  if (missing.length > 0)
    stream.write(`The lab needs ${missing.join(', ')}, built first where that can be: minutes, with nothing cached\n`)
  const progress = createToolProgress(stream)
  for (const name of missing)
    found.set(name, await progress.follow(name, (report) => resolveTool(name, { env, report })))
  const pathOf = (name: ToolName): string => {
    const tool = found.get(name)
    return tool?.found ? tool.path : ''
  }
  if (names.some((name) => pathOf(name) === '')) return undefined
  const [apiServer, controllerManager, scheduler] = OF_KUBERNETES.map(pathOf) as [string, string, string]
  return {
    talosctl: pathOf('talosctl-1.13'),
    etcd: { '3.6': pathOf('etcd-3.6'), '3.7': pathOf('etcd-3.7') },
    ...(kubernetes ? { kubernetes: { apiServer, controllerManager, scheduler } } : {}),
  }
}
