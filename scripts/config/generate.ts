/** Has talhelper make the machine configurations in a private folder, and talosctl look at each of them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Cluster } from '../../workflows/model/cluster.ts'
import { readYaml } from '../../workflows/model/declaration/yaml-source.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import type { Layout } from '../declaration/layout.ts'
import { invalid } from '../declaration/load-cluster.ts'
import type { CommandResult, Run } from '../run.ts'
import { howEnded, isDone } from '../tools/ended.ts'
import { type TalhelperProblem, talhelperCommands, talhelperProblems } from '../tools/talhelper.ts'
import { judgeConfigurations } from '../tools/talosctl/judge-configurations.ts'
import { type InContract, inContract } from './in-contract.ts'
import type { RenderedConfig, RenderedFile } from './render-config.ts'
import type { Stopwatch } from './stopwatch.ts'
import { withOrigin } from './with-origin.ts'

/** Node files and talosconfig by the names that talhelper gives them; secrets, so they stay in memory. */
export type Generated = Map<string, Uint8Array>

type Request = {
  layout: Layout
  cluster: Cluster
  /** form of the configurations, see `contractOf` */
  contract: string
  rendered: RenderedConfig
  /** what the rendered file is called in messages */
  shownAs: string
  secretFile: string
  /** of this process alone, see `privateFolder` */
  folder: string
  run: Run
  signal: AbortSignal
  watch: Stopwatch
}

/** Fails with what talhelper or talosctl have against it, at the line of the rendered file and of its template. */
export async function generate(request: Request): Promise<Result<Generated, Failure[]>> {
  const { layout, cluster, folder, run, signal } = request
  const output = join(folder, 'output')
  const input = join(folder, 'input')
  const form = inContract(request.contract, cluster)
  const configFile = configFor(input, request, form)
  const command = talhelperCommands.genConfig({
    configFile,
    secretFile: request.secretFile,
    envFile: envFile(layout, folder),
    outDir: output,
    mode: cluster.operations.generate.mode,
    // a bare `talosctl reset` would reach every node of a talosconfig that lists them
    withoutNodes: true,
  })
  const made = await request.watch.time('talhelper', () => run(command, { signal }))
  if (!isDone(made)) {
    const said = form ? { ...made, stdout: form.restored(made.stdout), stderr: form.restored(made.stderr) } : made
    return { ok: false, failure: await talhelperFailures(said, request) }
  }

  const files: Generated = new Map(
    readdirSync(output).map((name): [string, Uint8Array] => [name, readFileSync(join(output, name))]),
  )
  const missing = [...nodeFiles(cluster), 'talosconfig'].filter((name) => !files.has(name))
  if (missing.length > 0) {
    const detail = `talhelper made no ${missing.join(', no ')}`
    return { ok: false, failure: [failure('generation-failed', { detail, hint: 'leave filenameTmpl out' })] }
  }
  if (form)
    for (const [name, content] of files) files.set(name, Buffer.from(form.restored(Buffer.from(content).toString())))
  const objections = await request.watch.time('talosctl', () => validateAll(files, request))
  return objections.length > 0 ? { ok: false, failure: objections } : { ok: true, value: files }
}

/** What talhelper calls the file of each node. */
const nodeFiles = ({ name, nodes }: Cluster): string[] => nodes.map((node) => `${name}-${node.name}.yaml`)

/** The path of what talhelper reads: a talconfig.yaml that a person wrote where it lies, unless it has to be another. */
function configFor(input: string, { layout, rendered: { talconfig, patches } }: Request, form?: InContract): string {
  if (layout.kind !== 'talconfig') {
    const text = form?.talconfig(talconfig.text, input) ?? talconfig.text
    return prepare(input, layout, [{ ...talconfig, text }, ...patches])
  }
  if (!form) return join(layout.folder, layout.talconfig)
  mkdirSync(input, { mode: 0o700 })
  writeFileSync(join(input, layout.talconfig), form.talconfig(talconfig.text, layout.folder), { mode: 0o600 })
  return join(input, layout.talconfig)
}

/** Lays out what talhelper reads as it will lie in the cluster's folder; returns the path of its configuration. */
function prepare(input: string, layout: Layout, files: readonly RenderedFile[]): string {
  for (const { name, text } of files) {
    mkdirSync(dirname(join(input, name)), { recursive: true, mode: 0o700 })
    writeFileSync(join(input, name), text, { mode: 0o600 })
  }
  // what else is referred to with @./ lies beside the declaration
  const ours = new Set(files.map(({ name }) => name.split('/', 1)[0]))
  for (const name of readdirSync(layout.folder))
    if (!ours.has(name)) symlinkSync(join(layout.folder, name), join(input, name))
  return join(input, layout.talconfig)
}

/** The flat variables of the layouts that have some; else nothing, because talhelper would read a structured talenv.yaml. */
function envFile({ kind, folder: own }: Layout, folder: string): string {
  const pins = join(own, 'talenv.yaml')
  if (kind !== 'talenv' && existsSync(pins)) return pins
  const none = join(folder, 'no-variables.yaml')
  writeFileSync(none, '')
  return none
}

async function talhelperFailures(result: CommandResult, { rendered, shownAs }: Request): Promise<Failure[]> {
  if (result.ended.by === 'abort') return [failure('interrupted', { detail: 'talhelper was stopped' })]
  if (result.ended.by === 'deadline') return [failure('generation-failed', { detail: `talhelper ${howEnded(result)}` })]
  const found = talhelperProblems(result.stdout, result.stderr).filter(({ warning }) => !warning)
  if (found.length === 0)
    return [failure('generation-failed', { detail: `talhelper ${howEnded(result)} and said nothing` })]
  const { talconfig } = rendered
  const source = readYaml({ path: shownAs, text: talconfig.text })
  const problems = found.map(({ field, message }): Problem => {
    const said = message.trim().replaceAll('\n', ' ')
    return source.problem(pathOf(field), field === undefined ? said : `${field}: ${said}`)
  })
  return (await withOrigin(problems, talconfig)).map(invalid)
}

/** `nodes[2].installDiskSelector`, as talhelper writes it. */
const pathOf = (field: TalhelperProblem['field']): (string | number)[] =>
  (field?.match(/[^.[\]]+/g) ?? []).map((key) => (/^\d+$/.test(key) ? Number(key) : key))

async function validateAll(files: Generated, { cluster, run, signal }: Request): Promise<Failure[]> {
  const { mode } = cluster.operations.generate
  const judged = cluster.nodes.map(({ name }) => {
    const text = Buffer.from(files.get(`${cluster.name}-${name}.yaml`) ?? '').toString()
    return { name, text, mode }
  })
  const objections = await judgeConfigurations(run, judged, { strict: true, signal })
  if (signal.aborted) return [failure('interrupted', { detail: 'talosctl was stopped' })]
  return cluster.nodes.flatMap(({ name }) => {
    const objection = objections.get(name)
    if (objection === undefined) return []
    const detail = `talosctl does not take the configuration: ${objection}`
    return [failure('generation-failed', { node: name, detail })]
  })
}
