/** A simulated Talos cluster on loopback that the real talosctl talks to: up, down, status, fault, log, check. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { labCommand } from '../lab/lab-command.ts'
import { labUp } from '../lab/up.ts'
import { loadCluster } from '../scripts/declaration.ts'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { EXIT_CODES } from './model/exit-code.ts'

const usage = `lab.ts up|down|status|log|check --cluster <id> [--dir <path>] [--speed <n>] [--die-with <pid>]
lab.ts fault <name> --node <node> [--seconds <n>] [--times <n>] [--when '<node|any> <event>']
lab.ts fault --cure <name> [--node <node>] | --cure-all | --list`

const say = (line: string) => void process.stdout.write(`${line}\n`)
const complain = (line: string) => void process.stderr.write(`${line}\n`)
const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const options = {
  ...{ cluster: text, dir: text, speed: text, 'die-with': text, node: text, seconds: text, times: text, when: text },
  ...{ cure: flag, 'cure-all': flag, list: flag, help: flag },
}
const number = (name: string, value: string | undefined) => {
  if (value === undefined) return undefined
  if (!(Number(value) > 0)) throw new Error(`--${name} takes a number above 0, not "${value}"`)
  return Number(value)
}

function read() {
  const { values, positionals } = parseArgs({ options, allowPositionals: true, strict: true })
  const [verb = '', name, ...rest] = positionals
  if (rest.length > 0) throw new Error(`${rest.join(' ')} stands without a flag`)
  const { cure, 'cure-all': cureAll, list, node, when } = values
  const times = number('times', values.times)
  const fault = { name, node, when, times, seconds: number('seconds', values.seconds), cure, cureAll, list }
  if (!values.help && !list && values.cluster === undefined) throw new Error('Say which cluster: --cluster <id>')
  const cluster = `cluster-${(values.cluster ?? '').replace(/^cluster-/, '')}`
  const clusterDir = resolve(values.dir ?? fileURLToPath(new URL('..', import.meta.url)), 'clusters', cluster)
  const numbers = { speed: number('speed', values.speed), dieWith: number('die-with', values['die-with']) }
  return { verb, help: values.help, dir: values.dir, cluster, clusterDir, fault, ...numbers, say, complain }
}

async function run(command: ReturnType<typeof read>): Promise<number> {
  if (command.help) return say(usage) ?? 0
  if (command.verb !== 'up') return labCommand(command)
  const loaded = loadCluster(command.dir, command.cluster)
  if (!loaded.ok) return complain(loaded.failure.map(({ detail }) => detail).join('\n')) ?? EXIT_CODES.declaration
  const [talosctl, etcd] = await Promise.all([resolveTool('talosctl'), resolveTool('etcd')])
  for (const tool of [talosctl, etcd]) if (!tool.found) complain(`${tool.detail}; get it by: ${tool.hint}`)
  if (!talosctl.found || !etcd.found) return EXIT_CODES.unavailable
  const file = join(command.clusterDir, 'lab.yaml')
  const labFile = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const tools = { talosctl: talosctl.path, etcd: etcd.path }
  return labUp({ ...command, nodes: loaded.value.cluster.nodes, labFile, tools })
}

try {
  const command = read()
  process.exitCode = await run(command).catch((error: Error) => complain(error.message) ?? EXIT_CODES.failed)
} catch (error) {
  complain(`${(error as Error).message}\n${usage}`)
  process.exitCode = EXIT_CODES.usage
}
