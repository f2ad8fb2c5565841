/** A simulated Talos cluster on loopback that the real talosctl talks to: up, down, status, fault, log, check. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { labCommand } from '../lab/lab-command.ts'
import { labUsage, readLabFlags } from '../lab/lab-flags.ts'
import { labUp } from '../lab/up.ts'
import { readGenerated } from '../scripts/config/read-generated.ts'
import { settleFirst } from '../scripts/config/settle-first.ts'
import { loadCluster } from '../scripts/declaration.ts'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { EXIT_CODES } from './model/exit-code.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)
const needed = [
  'talosctl-1.13',
  'etcd-3.6',
  'etcd-3.7',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
] as const
const complain = (line: string) => void process.stderr.write(`${line}\n`)

async function run(flags: ReturnType<typeof readLabFlags>): Promise<number> {
  const root = flags.dir ?? fileURLToPath(new URL('..', import.meta.url))
  const command = { ...flags, clusterDir: resolve(root, 'clusters', flags.cluster), say, complain }
  if (flags.help) return say(labUsage) ?? EXIT_CODES.done
  if (flags.verb !== 'up') return labCommand(command)
  const loaded = loadCluster(flags.dir, flags.cluster, 'operate')
  if (!loaded.ok) return complain(loaded.failure.map(({ detail }) => detail).join('\n')) ?? EXIT_CODES.declaration
  const found = await Promise.all(needed.map((name) => resolveTool(name)))
  for (const tool of found) if (!tool.found) complain(`${tool.detail}; get it by: ${tool.hint}`)
  const [talosctl, etcd36, etcd37, apiServer, controllerManager, scheduler] = found.map((tool) =>
    tool.found ? tool.path : '',
  )
  if (!talosctl || !etcd36 || !etcd37 || !apiServer || !controllerManager || !scheduler) return EXIT_CODES.unavailable
  const file = join(command.clusterDir, 'lab.yaml')
  const labFile = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const etcd = { '3.6': etcd36, '3.7': etcd37 }
  const tools = { talosctl, etcd, kubernetes: { apiServer, controllerManager, scheduler } }
  const { cluster, layout } = loaded.value
  const unsettled = settleFirst(layout)
  if (unsettled) return complain(unsettled.detail ?? unsettled.reason) ?? EXIT_CODES.unavailable
  const kubernetesEndpoint = `https://${cluster.endpointHost}:6443`
  const generated = readGenerated(layout, cluster)
  return labUp({ ...command, nodes: cluster.nodes, kubernetesEndpoint, labFile, tools, generated })
}

try {
  const flags = readLabFlags(process.argv.slice(2))
  process.exitCode = await run(flags).catch((error: Error) => complain(error.message) ?? EXIT_CODES.failed)
} catch (error) {
  complain(`${(error as Error).message}\n${labUsage}`)
  process.exitCode = EXIT_CODES.usage
}
