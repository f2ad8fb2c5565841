import type { Cluster } from '../../workflows/model/cluster.ts'
import { contractOfVersion, isNewer } from '../../workflows/model/declaration/talos-contract.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { finished } from '../../workflows/model/finished.ts'
import { type Problem, problemText } from '../../workflows/model/problem.ts'
import type { CommonFlags } from '../cli/flags.ts'
import { configDiff } from '../config/diff/config-diff.ts'
import type { Comparison, FileChange } from '../config/placing/compare-placed.ts'
import { eventLine } from './event-line.ts'
import { processTookMs } from './process-took-ms.ts'
import { redact } from './redact.ts'

/** What a generation did, or in a dry run would do. */
export type Generation = {
  cluster: Cluster
  /** of the cluster, as people know it */
  folder: string
  comparison: Comparison
  files: ReadonlyMap<string, Uint8Array>
  /** why the talosconfig was replaced */
  talosconfig: string | undefined
  /** secret values, to be taken out of diffs */
  secrets: readonly string[]
  /** form of the configurations */
  contract: string
  warnings: readonly Problem[]
  /** lines that were added to files of ignored names */
  ignored: readonly string[]
  /** schematics that the Image Factory was never told of */
  unregistered: readonly string[]
  /** the command that tells it */
  register: string
  dryRun: boolean
  /** all of it lies where it belongs */
  placed: boolean
  /** each phase, in milliseconds */
  tookMs: Readonly<Record<string, number>>
}

const DONE = { create: 'created', replace: 'replaced', protect: 'made private', prune: 'removed' } as const
const WOULD = { create: 'create', replace: 'replace', protect: 'make private', prune: 'remove' } as const

/** Prints the result on standard output and what is worth knowing on standard error. */
export function printGeneration(
  generation: Generation,
  { output }: Pick<CommonFlags, 'output'>,
  exitCode: ExitCode,
): void {
  const { cluster, comparison, warnings, dryRun } = generation
  const changes = comparison.flatMap(({ name, change }) => (change === 'unchanged' ? [] : [{ name, change }]))
  if (output === 'json') {
    const event = {
      type: 'generated',
      cluster: cluster.name,
      dryRun,
      changes,
      warnings: warnings.map(problemText),
      contract: generation.contract,
      unregistered: generation.unregistered,
      tookMs: generation.tookMs,
    }
    const at = new Date()
    for (const said of [event, finished({ exitCode, tookMs: processTookMs() })])
      process.stdout.write(eventLine(said, at))
    return
  }
  for (const warning of warnings) process.stderr.write(redact(`${problemText(warning)}\n`))
  if (output === 'quiet') return
  const verbs = dryRun ? WOULD : DONE
  const lines = [
    ...alike(comparison, generation).flatMap(({ files, diff }) => [
      ...files.map(({ name, change }) => `${verbs[change]} ${generation.folder}/${name}`),
      ...diff,
    ]),
    ...(generation.talosconfig && changes.some(({ name }) => name.endsWith('talosconfig'))
      ? [`The talosconfig is a new one: ${generation.talosconfig}`]
      : []),
    ...(changes.length === 0 ? [`${cluster.name}: ${comparison.length} files, all of them as they should be`] : []),
    ...(isNewer(contractOfVersion(cluster.talosVersion), generation.contract)
      ? [`Configurations are in the form of ${generation.contract}, installers of ${cluster.talosVersion}`]
      : []),
    ...generation.unregistered.map((id) => `Schematic ${id} was never registered from here`),
    ...(generation.unregistered.length > 0 ? [`Register: ${generation.register}`] : []),
    ...generation.ignored.map((line) => `${dryRun ? 'would add' : 'added'} to ${line}`),
  ]
  process.stdout.write(redact(`${lines.join('\n')}\n`))
}

/** Says on standard error what is about to go, before it is gone. */
export function announceRemovals(
  { comparison, folder }: Pick<Generation, 'comparison' | 'folder'>,
  { output }: Pick<CommonFlags, 'output'>,
): void {
  if (output === 'json' || output === 'quiet') return
  for (const { name, change } of comparison)
    if (change === 'prune')
      process.stderr.write(redact(`Removing ${folder}/${name}: nothing that is declared needs it\n`))
}

/** A signal came before anything was in place. */
export const printStopped = (again: string): void =>
  void process.stderr.write(redact(`Stopped; nothing was put in place. Again: ${again}\n`))

type Changed = FileChange & { change: keyof typeof DONE }

/** The changed files, those that change in the same way together: one line in talenv.yaml often changes all nodes. */
function alike(comparison: Comparison, generation: Generation): { files: Changed[]; diff: string[] }[] {
  const groups: { files: Changed[]; diff: string[] }[] = []
  for (const { change, ...file } of comparison) {
    if (change === 'unchanged') continue
    const changed = { ...file, change }
    const diff = diffLines(changed, generation)
    const group = groups.find((one) => diff.length > 0 && one.diff.join('\n') === diff.join('\n'))
    if (group) group.files.push(changed)
    else groups.push({ files: [changed], diff })
  }
  return groups
}

/** What is new in a file that is there already, without what is secret; a new file would be nothing but news. */
function diffLines({ name, change, before }: FileChange, { files, secrets }: Generation): string[] {
  if (change !== 'replace' || name.endsWith('talosconfig')) return []
  const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()
  return configDiff(text(before), text(files.get(name)), { secrets }).flatMap(({ document, change: how, patch }) => [
    `  ${document} ${how}`,
    ...patch
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `    ${line}`),
  ])
}
