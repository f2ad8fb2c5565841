/** What every workflow begins with: its flags, and its page of help; all that comes after them is loaded after them. */
import type { Cluster, NodeName } from '../../workflows/model/cluster.ts'
import type { Purpose } from '../../workflows/model/declaration/topology-problems.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { Layout } from '../declaration/layout.ts'
import type { Declared } from '../declaration/load-cluster.ts'
import type { CommandLine, FlagSpecs } from './flag-spec.ts'
import { type CommonFlags, type FlagValues, parseFlags } from './flags.ts'

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
  await bareCommand({
    ...spec,
    async run(call) {
      const { withDeclaration } = await import('./with-declaration.ts')
      return withDeclaration(spec, call)
    },
  })
}

/** The same for a workflow that needs no declaration. Whoever only asks for help waits for nothing else to be loaded. */
export async function bareCommand<const Specs extends FlagSpecs>(spec: BareCommandSpec<Specs>): Promise<void> {
  // a reader that went away (`| head`) must not end a command half way: without a listener, Node does
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const argv = process.argv.slice(2)
  const parsed = parseFlags(spec, argv)
  if (parsed.kind === 'help') return void process.stdout.write(parsed.text)
  const { runCommand } = await import('./run-command.ts')
  await runCommand(spec, argv, parsed)
}
