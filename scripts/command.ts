/** What every workflow does around its own work: flags, declaration, failures that keep it from starting, exit code. */
import type { Cluster, NodeName } from '../workflows/model/cluster.ts'
import { EXIT_CODES, type ExitCode } from '../workflows/model/exit-code.ts'
import { FAILURES, type Failure, failure } from '../workflows/model/failure.ts'
import type { Problem } from '../workflows/model/problem.ts'
import type { Purpose } from '../workflows/model/topology-problems.ts'
import type { Declared } from './declaration.ts'
import type { CommandLine, FlagSpecs } from './flag-spec.ts'
import { type CommonFlags, type FlagValues, parseFlags } from './flags.ts'
import type { Layout } from './layout.ts'
import { redact, redactValue } from './redact.ts'
import { typed } from './typed.ts'
import { failureText } from './view/failure-text.ts'

/** What a workflow is called with, once its command line is known to be good. */
export type BareCall = {
  command: string
  common: CommonFlags
  /** the command line that does the same again */
  again: string
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
  run(call: Call & { flags: FlagValues<Specs> }): Promise<ExitCode>
}

/** A workflow that comes before the declaration, or has to do with its text only. */
export type BareCommandSpec<Specs extends FlagSpecs> = CommandLine<Specs> & {
  run(call: BareCall & { flags: FlagValues<Specs> }): Promise<ExitCode>
}

/** Runs a workflow with this process' command line, and sets its exit code. */
export async function command<const Specs extends FlagSpecs>(spec: CommandSpec<Specs>): Promise<void> {
  await bareCommand({ ...spec, run: (call) => withDeclaration(spec, call) })
}

/** The same for a workflow that needs no declaration. */
export async function bareCommand<const Specs extends FlagSpecs>(spec: BareCommandSpec<Specs>): Promise<void> {
  // a reader that went away (`| head`) must not end a command half way: without a listener, Node does
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const argv = process.argv.slice(2)
  // what nobody caught still has a last word that a script can read
  process.on('uncaughtException', (error) => process.exit(rejectBug(error, argv)))
  const exitCode = await carryOut(spec, argv).catch((error: unknown) => rejectBug(error, argv))
  process.exitCode = exitCode
  if (exitCode !== EXIT_CODES.interrupted && exitCode !== EXIT_CODES.terminated) return
  // an installation that nobody waits for any more goes on, and must not keep this process
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  process.exit()
}

/** The program itself is wrong: says where, in the form that the command line asks for. */
function rejectBug(error: unknown, argv: readonly string[]): ExitCode {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const isJson = argv.includes('--output=json') || argv[argv.indexOf('--output') + 1] === 'json'
  return reject([failure('bug', { detail })], isJson ? { output: 'json' } : {})
}

async function carryOut<const Specs extends FlagSpecs>(
  spec: BareCommandSpec<Specs>,
  argv: string[],
): Promise<ExitCode> {
  const parsed = parseFlags(spec, argv)
  if (parsed.kind === 'help') {
    process.stdout.write(parsed.text)
    return EXIT_CODES.done
  }
  if (parsed.kind === 'wrong')
    return reject(parsed.failures, { hint: `node --import tsx workflows/${spec.name}.ts --help` })
  const again = `node --import tsx workflows/${spec.name}.ts ${argv.map(typed).join(' ')}`
  return spec.run({ command: spec.name, common: parsed.common, flags: parsed.flags, again })
}

async function withDeclaration<const Specs extends FlagSpecs>(
  spec: CommandSpec<Specs>,
  call: BareCall & { flags: FlagValues<Specs> },
): Promise<ExitCode> {
  const { common } = call
  const [{ loadCluster }, { namedNodes }, { settleFirst }] = await Promise.all([
    import('./declaration.ts'),
    import('./named-nodes.ts'),
    import('./config/settle-first.ts'),
  ])
  const loaded = loadCluster(common.dir, common.cluster, spec.purpose ?? 'operate')
  if (!loaded.ok) return reject(loaded.failure, common)
  const { cluster } = loaded.value
  const nodes = common.nodes ? namedNodes(cluster, common.nodes) : undefined
  if (nodes && !nodes.ok) return reject(nodes.failure, common)
  const unsettled = settleFirst(loaded.value.layout)
  if (unsettled) return reject([unsettled], common)
  return spec.run({ ...call, ...loaded.value, ...(nodes ? { nodes: nodes.value } : {}) })
}

/** Says why nothing was started: as people read it, or as the one event that a script waits for. */
export function reject(
  failures: readonly Failure[],
  { output, hint }: { output?: CommonFlags['output']; hint?: string },
): ExitCode {
  const [first] = failures
  const exitCode = first ? EXIT_CODES[FAILURES[first.reason].exit] : EXIT_CODES.failed
  if (output === 'json') {
    const finished = { v: 1, at: new Date().toISOString(), type: 'run.finished', exitCode, verdicts: {}, failures }
    process.stdout.write(`${JSON.stringify(finished, redactValue)}\n`)
    return exitCode
  }
  for (const failure of failures) process.stderr.write(redact(`${failureText(failure)}\n`))
  if (hint) process.stderr.write(`See ${hint}\n`)
  return exitCode
}
