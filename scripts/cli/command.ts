/** What every workflow does around its own work: flags, declaration, failures that keep it from starting, exit code. */

import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Cluster, NodeName } from '../../workflows/model/cluster.ts'
import type { Purpose } from '../../workflows/model/declaration/topology-problems.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { finished } from '../../workflows/model/finished.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import { exitCodeOf } from '../../workflows/plan/exit-code.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { Layout } from '../declaration/layout.ts'
import type { Declared } from '../declaration/load-cluster.ts'
import { failureOfThrown } from '../disk/on-disk.ts'
import { endAtSignals, stoppedBy } from '../engine/stop.ts'
import { eventLine } from '../view/event-line.ts'
import { failureText } from '../view/failure-text.ts'
import { manifestText } from '../view/manifest-text.ts'
import { processTookMs } from '../view/process-took-ms.ts'
import { redact } from '../view/redact.ts'
import type { CommandLine, CommonName, FlagSpecs } from './flag-spec.ts'
import { type CommonFlags, type FlagValues, parseFlags } from './flags.ts'
import { shellWord } from './shell-word.ts'

/** What a workflow is called with, once its command line is known to be good. */
export type BareCall = {
  command: string
  common: CommonFlags
  /** the command line that does the same again */
  again: string
  /** what it is asked to do, where a command has verbs, and the word that follows */
  words: readonly string[]
}

/** The same, once its declaration is known to be good, too. */
export type Call = BareCall & {
  cluster: Cluster
  layout: Layout
  declared: Declared
  /** of the declaration; only commands that are about it say them */
  warnings: readonly Problem[]
  /** declared names of `--nodes` */
  nodes?: NodeName[]
}

export type CommandSpec<Specs extends FlagSpecs> = CommandLine<Specs> & {
  /** what the declaration is read for (default: to operate the cluster) */
  purpose?: Purpose
  run(call: Call & { flags: FlagValues<Specs>; carryOut: CarryOut }): Promise<ExitCode>
}

/** Does what a verb plans, or with `--dry-run` says what that is; the flags are all that it may be wished, but for the nodes. */
export type CarryOut = <Wish extends AnyWish>(verb: Verb<Wish>, flags: Omit<Wish, 'nodes'>) => Promise<ExitCode>

/** A workflow that comes before the declaration, or has to do with its text only. */
export type BareCommandSpec<Specs extends FlagSpecs> = CommandLine<Specs> & {
  run(call: BareCall & { flags: FlagValues<Specs> }): Promise<ExitCode>
}

/** Runs a workflow with this process' command line, and ends the process with its exit code. */
export async function command<const Specs extends FlagSpecs>(spec: CommandSpec<Specs>): Promise<void> {
  await bareCommand({ ...spec, run: (call) => withDeclaration(spec, call) })
}

/** The same for a workflow that needs no declaration. */
export async function bareCommand<const Specs extends FlagSpecs>(spec: BareCommandSpec<Specs>): Promise<void> {
  // a reader that went away (`| head`) must not end a command half way: without a listener, Node does
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const argv = process.argv.slice(2)
  const next = ['node --import tsx', `workflows/${spec.name}.ts`, ...argv.map(shellWord)].join(' ')
  const output = wishesJson(argv) ? 'json' : 'auto'
  const rejectThrown = (error: unknown): ExitCode => reject([failureOfThrown(error)], { output, next })
  // what nobody caught still has a last word that a script can read
  process.on('uncaughtException', (error) => process.exit(rejectThrown(error)))
  endAtSignals((by) => process.exit(reject([], { output, next, exitCode: stoppedBy(by) })))
  process.exitCode = await carryOut(spec, argv, next).catch(rejectThrown)
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  // what nobody waits for any more, such as an installation, goes on and must not keep this process
  process.exit()
}

const wishesJson = (argv: readonly string[]): boolean =>
  argv.includes('--output=json') || argv[argv.indexOf('--output') + 1] === 'json'

async function carryOut<const Specs extends FlagSpecs>(
  spec: BareCommandSpec<Specs>,
  argv: string[],
  again: string,
): Promise<ExitCode> {
  const parsed = parseFlags(spec, argv)
  if (parsed.kind === 'help') {
    process.stdout.write(parsed.text)
    return EXIT_CODES.done
  }
  if (parsed.kind === 'wrong')
    return reject(parsed.failures, {
      output: wishesJson(argv) ? 'json' : 'auto',
      hint: `node --import tsx workflows/${spec.name}.ts --help`,
    })
  const { common, flags, words } = parsed
  if (common.dir !== undefined && existsSync(common.dir) && !isFolder(common.dir)) {
    const detail = `${common.dir} is no folder`
    return reject([failure('usage', { detail, hint: '--dir <path>' })], common)
  }
  return spec.run({ command: spec.name, common, flags, words, again })
}

const isFolder = (path: string): boolean => statSync(path).isDirectory()

async function withDeclaration<const Specs extends FlagSpecs>(
  spec: CommandSpec<Specs>,
  call: BareCall & { flags: FlagValues<Specs> },
): Promise<ExitCode> {
  const { common } = call
  const [{ loadCluster }, { namedNodes }, { finishPlacingFirst }] = await Promise.all([
    import('../declaration/load-cluster.ts'),
    import('./named-nodes.ts'),
    import('../config/finish-placing-first.ts'),
  ])
  const loaded = loadCluster(common.dir, common.cluster, spec.purpose ?? 'operate')
  if (!loaded.ok) return reject(loaded.failure, common)
  const { cluster } = loaded.value
  const access = givenAccess(loaded.value.layout, common, spec.without ?? [])
  if (!access.ok) return reject(access.failure, common)
  const nodes = common.nodes ? namedNodes(cluster, common.nodes) : undefined
  if (nodes && !nodes.ok) return reject(nodes.failure, common)
  const unfinished = finishPlacingFirst(loaded.value.layout)
  if (unfinished) return reject([unfinished], common)
  const known = { ...call, ...loaded.value, layout: access.value, ...(nodes ? { nodes: nodes.value } : {}) }
  return spec.run({ ...known, carryOut: carryOutFor(known) })
}

/** The engine is loaded only where something is carried out. */
const carryOutFor =
  (call: Call): CarryOut =>
  async <Wish extends AnyWish>(verb: Verb<Wish>, flags: Omit<Wish, 'nodes'>) => {
    const [engine, { crew }] = await Promise.all([import('../engine/carry-out.ts'), import('./crew.ts')])
    const wish = { ...flags, ...(call.nodes ? { nodes: call.nodes } : {}) } as Wish
    return engine.carryOut(crew, verb, call, wish)
  }

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The layout with the talosconfig and the kubeconfig that were given instead of the cluster's. */
function givenAccess(
  layout: Layout,
  { talosconfig, kubeconfig }: CommonFlags,
  without: readonly CommonName[],
): Result<Layout, Failure[]> {
  const given = [
    { name: 'talosconfig', path: talosconfig, missing: 'talosconfig-missing' },
    { name: 'kubeconfig', path: kubeconfig, missing: 'kubeconfig-unusable' },
  ] as const
  const used = given.flatMap(({ path, ...file }) =>
    path === undefined || without.includes(file.name) ? [] : [{ ...file, path: resolve(path) }],
  )
  const failures = used.flatMap(({ name, path, missing }) =>
    isReadable(path)
      ? []
      : [failure(missing, { detail: `${path} is no file that can be read`, hint: `--${name} <path>` })],
  )
  if (failures.length > 0) return { ok: false, failure: failures }
  return { ok: true, value: { ...layout, ...Object.fromEntries(used.map(({ name, path }) => [name, path])) } }
}

/** Says why nothing was started, or goes on: as people read it, or as the one event that a script waits for. */
export function reject(
  failures: readonly Failure[],
  { output, hint, next, exitCode = exitCodeOf(failures) }: Rejection,
): ExitCode {
  if (output === 'json') {
    const end = finished({ exitCode, failures: [...failures], tookMs: processTookMs(), next })
    process.stdout.write(eventLine(end, new Date()))
    return exitCode
  }
  for (const failure of failures) process.stderr.write(redact(`${failureText(failure)}\n`))
  process.stderr.write(redact(manifestText(failures)))
  if (hint) process.stderr.write(`See ${hint}\n`)
  if (next) process.stderr.write(redact(`Next: ${next}\n`))
  return exitCode
}

type Rejection = {
  output?: CommonFlags['output']
  /** where more is told */
  hint?: string
  /** the command that goes on */
  next?: string
  exitCode?: ExitCode
}
