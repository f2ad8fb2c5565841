/**
 * From declaration to machine configurations: check, render, generate, compare, put in place. Nothing is written before
 * everything is known to be good, and then all of it as one.
 */
import { join, relative } from 'node:path'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Call } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { reject } from '../cli/reject.ts'
import { shellWord } from '../cli/shell-word.ts'
import { workflowCommand } from '../cli/workflow-command.ts'
import { forPeople, invalid } from '../declaration/load-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'
import { acquireLock, type Lock } from '../engine/lock.ts'
import { openRunFolder, runFolder } from '../engine/run-folder.ts'
import { createStop, listenForSignals, stoppedBy } from '../engine/stop.ts'
import { createRun, type Run } from '../run.ts'
import { declaredSchematics } from '../schematic/declared-schematics.ts'
import { factoryUrl } from '../schematic/register-schematics.ts'
import { unregistered } from '../schematic/registered.ts'
import { announceRemovals, type Generation, printGeneration, printStopped } from '../view/generation.ts'
import { checkRendered } from './check-rendered.ts'
import { chooseContract, contractWarnings } from './choose-contract.ts'
import { generate } from './generate.ts'
import { type Comparison, comparePlaced, wouldChange } from './placing/compare-placed.ts'
import { finishPlacing } from './placing/finish-placing.ts'
import { keepTalosconfig } from './placing/keep-talosconfig.ts'
import { editFailures, place } from './placing/place.ts'
import { placedBefore } from './placing/placed-before.ts'
import type { Places } from './placing/places.ts'
import { privateFolder } from './private-folder.ts'
import { type RenderedConfig, renderConfig } from './render-config.ts'
import { type CheckedSecrets, checkSecrets } from './secrets/check-secrets.ts'
import { protectFromGit } from './secrets/protect-from-git.ts'
import { findSecretTools, type SecretTools } from './secrets/secret-tools.ts'
import { type Stopwatch, stopwatch } from './stopwatch.ts'
import { talconfigSchema } from './talconfig-schema.ts'

export type GenerateWish = { discardEdits: boolean; renewTalosconfig: boolean }

/** Generates as wished; resolves to the exit code: 0, or with `--dry-run` 2 where something would change. */
export async function generateConfig(call: Call, wish: GenerateWish): Promise<ExitCode> {
  const tools = await findSecretTools(process.env, { judging: call.cluster.talosVersion })
  if (!tools.ok) return reject(tools.failure, call.common)
  const stop = createStop()
  // a dry run has nothing to bring to an end, and ends at once
  const deaf = call.common.dryRun ? () => {} : listenForSignals(stop)
  try {
    const made = await underLock(call, () => prepareAndPlace(call, wish, tools.value, stop.requested))
    if (stop.by() !== undefined && !(made.ok && made.value.placed)) {
      printStopped(call.again)
      return stoppedBy(stop.by())
    }
    if (!made.ok)
      return reject(made.failure.map(completeHints(call.cluster, call.layout, call.again).failure), call.common)
    const pending = call.common.dryRun && wouldChange(made.value.comparison)
    const exitCode = pending ? EXIT_CODES.pending : EXIT_CODES.done
    printGeneration(made.value, call.common, exitCode)
    return exitCode
  } finally {
    deaf()
  }
}

/** A dry run takes no lock, because it writes nothing, and changes nothing that another run could rely on. */
async function underLock<T>({ common, layout, cluster }: Call, work: () => Promise<Result<T, Failure[]>>) {
  if (common.dryRun) return work()
  const root = runFolder(layout.folder)
  const opened = onDisk(() => openRunFolder(root))
  if (!opened.ok) return { ok: false as const, failure: [opened.failure] }
  const asked = onDisk(() => acquireLock(root, `gen-config of ${cluster.name}`))
  const locked = asked.ok ? asked.value : asked
  if (!locked.ok) return { ok: false as const, failure: [locked.failure] }
  const lock: Lock = locked.lock
  try {
    const finished = finishPlacing(placesOf(layout.folder))
    return finished.ok ? await work() : { ok: false as const, failure: [finished.failure] }
  } finally {
    onDisk(() => lock.release())
  }
}

const placesOf = (folder: string): Places => ({ outDir: folder, stateDir: runFolder(folder) })

async function prepareAndPlace(
  call: Call,
  wish: GenerateWish,
  tools: SecretTools,
  signal: AbortSignal,
): Promise<Result<Generation, Failure[]>> {
  const { layout, cluster, common } = call
  const watch = stopwatch()
  const run = createRun({ ...tools })
  const [secrets, rendered] = await Promise.all([
    watch.time('secrets', () => checkSecrets({ file: layout.secretFile, dir: layout.root, tools })),
    renderAndCheck(call, run, watch),
  ])
  if (!secrets.ok || !rendered.ok)
    return { ok: false, failure: [rendered, secrets].flatMap((one) => (one.ok ? [] : one.failure)) }

  const places = placesOf(layout.folder)
  const before = placedBefore(places)
  if (!before.ok) return { ok: false, failure: [before.failure] }
  const contract = chooseContract(call, before.value)
  if (!contract.ok) return contract
  const foreign = authorityChanged(before.value?.caFingerprint, secrets.value, call)
  if (foreign) return { ok: false, failure: [foreign] }

  const generated = await generateIn(call, rendered.value, secrets.value, {
    contract: contract.value,
    tools,
    signal,
    watch,
  })
  if (!generated.ok) return generated
  const ignored = await watch.time('git', () =>
    protectFromGit({
      folder: layout.folder,
      dir: layout.root,
      generated: layout.generated,
      tools,
      dryRun: common.dryRun,
    }),
  )
  if (!ignored.ok) return ignored
  const compared = comparePlaced(places, generated.value)
  if (!compared.ok) return compared
  const files = withTalosconfig(generated.value, compared.value, layout.generated, wish)
  const comparison = comparePlaced(places, files.files)
  if (!comparison.ok) return comparison
  const generation: Generation = {
    cluster,
    folder: forPeople(layout.folder) || '.',
    comparison: comparison.value,
    files: files.files,
    talosconfig: files.why,
    secrets: secrets.value.leaves,
    contract: contract.value,
    warnings: [...call.warnings, ...rendered.value.warnings, ...contractWarnings(call, contract.value, rendered.value)],
    ignored: ignored.value.flatMap(({ file, lines }) => lines.map((line) => `${forPeople(file)}: ${line}`)),
    unregistered: unregisteredOf(call, rendered.value),
    register: workflowCommand('register-schematics', cluster.id, layout.root),
    dryRun: common.dryRun,
    placed: false,
    tookMs: watch.tookMs,
  }
  const edits = wish.discardEdits ? [] : editFailures(places, comparison.value)
  if (edits.length > 0) return { ok: false, failure: edits }
  if (common.dryRun || signal.aborted) return { ok: true, value: generation }
  announceRemovals(generation, common)
  const remember = { caFingerprint: secrets.value.caFingerprint, contract: contract.value }
  const placed = await watch.time('place', () =>
    place(places, files.files, comparison.value, remember, { discardEdits: wish.discardEdits }),
  )
  return placed.ok ? { ok: true, value: { ...generation, placed: true } } : placed
}

async function renderAndCheck(
  { layout, cluster, declared }: Call,
  run: Run,
  watch: Stopwatch,
): Promise<Result<RenderedConfig, Failure[]>> {
  // talhelper writes its schema while the templates are rendered
  const schema = talconfigSchema(run)
  const rendered = await watch.time('render', () => renderConfig({ layout, cluster, declared, run }))
  if (!rendered.ok) return { ok: false, failure: rendered.problems.map(invalid) }
  const found = await watch.time('check', () => checkRendered(rendered.value, { layout, cluster, schema }))
  if (!found.ok) return found
  const problems = found.value.filter(({ warning }) => warning !== true)
  if (problems.length > 0) return { ok: false, failure: problems.map(invalid) }
  return { ok: true, value: { ...rendered.value, warnings: [...rendered.value.warnings, ...found.value] } }
}

/** New secrets for nodes that run would lock us out of them. */
function authorityChanged(
  before: string | undefined,
  { caFingerprint, file }: CheckedSecrets,
  { layout }: Call,
): Failure | undefined {
  if (before === undefined || before === caFingerprint) return undefined
  const placed = relative(process.cwd(), join(runFolder(layout.folder), 'placed.json'))
  return failure('authority-changed', {
    detail: `${forPeople(file)} holds another CA than the configurations that were generated last`,
    hint: `bring the old secrets back from git; where the cluster itself was made anew: rm ${shellWord(placed)}`,
  })
}

/** Schematics whose installers the factory may not be able to make: nobody told it of them from here. */
function unregisteredOf({ layout, cluster }: Call, { talconfig }: RenderedConfig): string[] {
  const declared = declaredSchematics({ path: talconfig.name, text: talconfig.text })
  if (!declared.ok) return []
  return unregistered(
    declared.value.map(({ id }) => id),
    {
      factory: factoryUrl(cluster.operations.upgrade.factory),
      cacheFile: join(runFolder(layout.folder), 'schematics.json'),
    },
  )
}

/** The whole set by its names below the cluster's folder. */
async function generateIn(
  { layout, cluster }: Call,
  rendered: RenderedConfig,
  secrets: CheckedSecrets,
  { contract, tools, signal, watch }: { contract: string; tools: SecretTools; signal: AbortSignal; watch: Stopwatch },
): Promise<Result<Map<string, Uint8Array>, Failure[]>> {
  const folder = privateFolder(tools.env)
  try {
    const made = await generate({
      layout,
      cluster,
      contract,
      rendered,
      shownAs: forPeople(join(layout.folder, rendered.talconfig.name)),
      secretFile: secrets.file,
      folder: folder.path,
      run: createRun({ ...tools, keys: secrets.keys }),
      signal,
      watch,
    })
    if (!made.ok) return made
    const files = new Map([...made.value].map(([name, content]) => [`${layout.generated}${name}`, content]))
    if (layout.kind === 'talconfig') return { ok: true, value: files }
    for (const { name, text } of [rendered.talconfig, ...rendered.patches]) files.set(name, Buffer.from(text))
    return { ok: true, value: files }
  } finally {
    folder.remove()
  }
}

/** With the talosconfig that is there, as long as it says the same and its certificate is good. */
function withTalosconfig(
  generated: ReadonlyMap<string, Uint8Array>,
  comparison: Comparison,
  prefix: string,
  { renewTalosconfig }: GenerateWish,
) {
  const name = `${prefix}talosconfig`
  const files = new Map(generated)
  const old = comparison.find((file) => file.name === name)?.before
  const kept = keepTalosconfig(old, files.get(name) ?? new Uint8Array(), new Date(), { renew: renewTalosconfig })
  files.set(name, kept.content)
  return { files, why: kept.kept || old === undefined ? undefined : kept.why }
}
