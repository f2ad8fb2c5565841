/** A simulated Talos cluster on loopback that the real talosctl talks to: up, down, status, fault, log, check. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { labCommand } from '../lab/lab-command.ts'
import { wantsKubernetes } from '../lab/lab-file.ts'
import { labUsage, readLabFlags } from '../lab/lab-flags.ts'
import { labUp } from '../lab/up.ts'
import { finishPlacingFirst } from '../scripts/config/finish-placing-first.ts'
import { readGenerated } from '../scripts/config/read-generated.ts'
import { protectFromGit } from '../scripts/config/secrets/protect-from-git.ts'
import { loadCluster } from '../scripts/declaration/load-cluster.ts'
import { failureOfDisk } from '../scripts/disk/on-disk.ts'
import { readText } from '../scripts/disk/read-text.ts'
import { labTools } from '../scripts/toolchain/lab-tools.ts'
import { failureText } from '../scripts/view/failure-text.ts'
import { EXIT_CODES } from './model/exit-code.ts'
import { nearest } from './model/nearest.ts'
import { exitCodeOf } from './plan/exit-code.ts'

const say = (line: string) => void process.stdout.write(`${line}\n`)
const complain = (line: string) => void process.stderr.write(`${line}\n`)

async function run(flags: ReturnType<typeof readLabFlags>): Promise<number> {
  const root = flags.dir ?? fileURLToPath(new URL('..', import.meta.url))
  const command = { ...flags, clusterDir: resolve(root, 'clusters', flags.cluster), say, complain }
  if (flags.help) return say(labUsage) ?? EXIT_CODES.done
  if (flags.verb !== 'up') return labCommand(command)
  const loaded = loadCluster(flags.dir, flags.cluster, 'operate')
  if (!loaded.ok) return complain(loaded.failure.map(failureText).join('\n')) ?? EXIT_CODES.declaration
  const file = join(command.clusterDir, 'lab.yaml')
  const labFile = existsSync(file) ? readText(file) : ''
  const tools = await labTools({ kubernetes: wantsKubernetes(labFile) }, { stream: process.stderr })
  if (!tools) return EXIT_CODES.unavailable
  const { cluster, layout } = loaded.value
  const unfinished = finishPlacingFirst(layout)
  if (unfinished) return complain(failureText(unfinished)) ?? EXIT_CODES.unavailable
  // a talosconfig of its own is about to lie beside the declaration
  const { generated: prefix, root: dir } = layout
  const guard = { folder: command.clusterDir, dir, generated: prefix, tools: { env: process.env } }
  const ignored = await protectFromGit(guard)
  if (!ignored.ok) return complain(ignored.failure.map(failureText).join('\n')) ?? EXIT_CODES.refused
  const kubernetesEndpoint = `https://${cluster.endpointHost}:6443`
  const generated = readGenerated(layout, cluster)
  return labUp({ ...command, nodes: cluster.nodes, kubernetesEndpoint, labFile, tools, generated })
}

// a reader that went away (`| head`) must not end a command half way
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
try {
  const flags = readLabFlags(process.argv.slice(2), nearest)
  process.exitCode = await run(flags).catch((error: Error) => {
    const why = failureOfDisk(error)
    return complain(why ? failureText(why) : error.message) ?? (why ? exitCodeOf([why]) : EXIT_CODES.failed)
  })
} catch (error) {
  complain(`${(error as Error).message}\n${labUsage}`)
  process.exitCode = EXIT_CODES.usage
}
