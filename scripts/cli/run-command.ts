import { existsSync, statSync } from 'node:fs'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { failure } from '../../workflows/model/failure.ts'
import { failureOfThrown } from '../disk/on-disk.ts'
import { endAtSignals, stoppedBy } from '../engine/stop.ts'
import type { BareCommandSpec } from './command.ts'
import type { FlagSpecs } from './flag-spec.ts'
import type { ParsedFlags } from './flags.ts'
import { reject } from './reject.ts'
import { shellWord } from './shell-word.ts'

/** Runs a workflow whose flags are known, and ends the process with its exit code. */
export async function runCommand<const Specs extends FlagSpecs>(
  spec: BareCommandSpec<Specs>,
  argv: readonly string[],
  parsed: Exclude<ParsedFlags<Specs>, { kind: 'help' }>,
): Promise<void> {
  const next = ['node --import tsx', `workflows/${spec.name}.ts`, ...argv.map(shellWord)].join(' ')
  const output = wishesJson(argv) ? 'json' : 'auto'
  const rejectThrown = (error: unknown): ExitCode => reject([failureOfThrown(error)], { output, next })
  // what nobody caught still has a last word that a script can read, but where that was said already
  process.on('uncaughtException', (error) => process.exit(process.exitCode ?? rejectThrown(error)))
  endAtSignals((by) => process.exit(process.exitCode ?? reject([], { output, next, exitCode: stoppedBy(by) })))
  process.exitCode = await runParsed(spec, parsed, { output, again: next }).catch(rejectThrown)
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  // what nobody waits for any more, such as an installation, goes on and must not keep this process
  process.exit()
}
const wishesJson = (argv: readonly string[]): boolean =>
  argv.includes('--output=json') || argv[argv.indexOf('--output') + 1] === 'json'

async function runParsed<const Specs extends FlagSpecs>(
  spec: BareCommandSpec<Specs>,
  parsed: Exclude<ParsedFlags<Specs>, { kind: 'help' }>,
  { output, again }: { output: 'json' | 'auto'; again: string },
): Promise<ExitCode> {
  if (parsed.kind === 'wrong')
    return reject(parsed.failures, { output, hint: `node --import tsx workflows/${spec.name}.ts --help` })
  const { common, flags, words } = parsed
  if (common.dir !== undefined && existsSync(common.dir) && !isFolder(common.dir)) {
    const detail = `${common.dir} is no folder`
    return reject([failure('usage', { detail, hint: '--dir <path>' })], common)
  }
  return spec.run({ command: spec.name, common, flags, words, again })
}

const isFolder = (path: string): boolean => statSync(path).isDirectory()
