/**
 * `npm run bench [-- help | plan | gen-config | upgrade | drain | starts]`: how long an upgrade takes beside the least that it
 * can take, how long gen-config takes beside talhelper alone, how long a plan takes beside bare node and a page of help
 * beside an empty file. Ratios within one run; nothing here is asserted.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { LoggedEvent } from '../lab/lab-event.ts'
import { renderConfig } from '../scripts/config/render-config.ts'
import { loadCluster } from '../scripts/declaration/load-cluster.ts'
import type { Starts } from '../scripts/engine/starts.ts'
import { createRun } from '../scripts/run.ts'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { toolTable } from '../scripts/toolchain/tool-table.ts'
import { startLab, type TestLab, toolPath } from './support/lab.ts'
import { secretsWorld } from './support/secrets-world.ts'
import { talenvOf } from './support/talenv-of.ts'
import { budgetOver, database, deployment } from './support/workloads.ts'

const root = join(import.meta.dirname, '..')
const say = (line: string) => void process.stdout.write(`${line}\n`)
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

const middle = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** A row whose value is to be no more than the aim. */
const row = (what: string, value: string, aim?: string) =>
  say(`${what.padEnd(58)} ${value}${aim === undefined ? '' : ` (aim: at most ${aim})`}`)

function time(argv: string[], env: Record<string, string> = {}): number {
  const startedAt = performance.now()
  const options = { cwd: root, env: { ...process.env, ...env } }
  const { error } = spawnSync(process.execPath, argv, { ...options, stdio: 'ignore' })
  if (error) throw error
  return performance.now() - startedAt
}

/** The medians of some pairs, one after the other so that both see the same machine. */
function compare(a: string[], b: string[], pairs: number): { a: number; b: number; ratio: number } {
  const runs = Array.from({ length: pairs }, () => ({ a: time(a), b: time(b) }))
  return { a: middle(runs.map((r) => r.a)), b: middle(runs.map((r) => r.b)), ratio: middle(runs.map((r) => r.a / r.b)) }
}

/** What the last run in a lab started, from its report: by tool, and by step for all nodes together. */
function tellStarts(lab: TestLab): void {
  const runs = join(lab.clusterDir, '.run')
  const reports = existsSync(runs) ? readdirSync(runs).map((name) => join(runs, name, 'report.json')) : []
  const report = reports.filter((path) => existsSync(path)).at(-1)
  if (report === undefined) throw new Error('there is no report of the run')
  const { starts } = JSON.parse(readFileSync(report, 'utf8')) as { starts: Starts }
  const byTool = new Map<string, number>()
  const byStep = new Map<string, number>()
  for (const steps of Object.values(starts))
    for (const [step, tools] of Object.entries(steps))
      for (const [tool, count] of Object.entries(tools)) {
        byTool.set(tool, (byTool.get(tool) ?? 0) + count)
        byStep.set(`${step} ${tool}`, (byStep.get(`${step} ${tool}`) ?? 0) + count)
      }
  const list = (counts: Map<string, number>) =>
    [...counts]
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
  const whole = [...byTool.values()].reduce((sum, count) => sum + count, 0)
  row('  starts of tools', `${whole}: ${list(byTool)}`)
  row('  by step', list(byStep))
}

const workflow = (name: string, lab: TestLab, ...flags: string[]) => [
  '--import',
  'tsx',
  `workflows/${name}.ts`,
  '--cluster',
  lab.cluster,
  '--dir',
  lab.dir,
  ...flags,
]

const PULL = 6
const INSTALL = 4
/** from the request until the node is ready again */
const REBOOT = { stopSeconds: 1, rebootSeconds: 7, readySeconds: 2 }

async function benchUpgrade(): Promise<void> {
  const lab = await startLab({ speed: 1, timings: { pullSeconds: PULL, installSeconds: INSTALL, ...REBOOT } })
  try {
    const tookMs = time(workflow('upgrade', lab, '--output', 'quiet'))
    const log = lab.log()
    const boundMs = 1000 * (PULL + 2 * INSTALL + 3 * (REBOOT.stopSeconds + REBOOT.rebootSeconds + REBOOT.readySeconds))
    const ratio = (tookMs / boundMs).toFixed(3)
    row('rolling upgrade of 3 control planes, without Kubernetes', `${ratio} of the bound`, '1.10')
    row('  time, and the bound', `${seconds(tookMs)}, ${seconds(boundMs)}`)
    const upAt = log.findIndex((e) => e.type === 'lab.up')
    const ready = log.slice(upAt + 1).filter((e) => e.type === 'machine.ready')
    const after = (fits: (e: LoggedEvent) => boolean) =>
      ready.flatMap(({ at }) => {
        const next = log.find((e) => e.at > at && fits(e))
        return next ? [Date.parse(next.at) - Date.parse(at)] : []
      })
    const first = after((e) => e.type === 'rpc')
    const change = after((e) => e.type === 'reboot.requested' || e.type === 'install.started')
    row('  from ready to our next call', `${seconds(middle(first))}, median of ${first.length}`)
    row('  from ready to our next change', `${seconds(middle(change))}, median of ${change.length}`, '0.90 s')
    row('  invariants broken', String(lab.check().length))
    tellStarts(lab)
  } finally {
    await lab.down()
  }
}

const SOAK = 1
/** a pod ends, its volume is detached */
const DRAIN = 2 + 5
const WORKERS = 12
const AT_ONCE = 3

/** A drained upgrade of workers and control planes side by side, a third of whose pods are under budgets. */
async function benchDrain(): Promise<void> {
  const lab = await startLab({
    ...{ kubernetes: true, controlPlanes: 3, workers: WORKERS, speed: 1 },
    timings: { pullSeconds: PULL, installSeconds: INSTALL, ...REBOOT },
    workloads: [
      deployment('web', 12),
      budgetOver('web', { minAvailable: 9 }),
      deployment('api', 12),
      deployment('batch', 10),
      database('db', 2),
    ],
  })
  try {
    const policy = { maxUnavailable: AT_ONCE, workersBesideControlPlanes: true, soak: `${SOAK}s`, pullParallelism: 15 }
    writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: policy }))
    const tookMs = time(workflow('upgrade', lab, '--output', 'quiet'))
    const reboot = REBOOT.stopSeconds + REBOOT.rebootSeconds + REBOOT.readySeconds
    const node = DRAIN + reboot + SOAK
    // control planes are empty, so that they are drained at once; the canary goes before everything
    const bound =
      PULL + INSTALL + node + INSTALL + Math.max(3 * (reboot + SOAK), Math.ceil((WORKERS - 1) / AT_ONCE) * node)
    const lower = PULL + INSTALL + Math.max(3 * (reboot + SOAK), Math.ceil(WORKERS / AT_ONCE) * node)
    const ratio = (least: number) => (tookMs / 1000 / least).toFixed(3)
    row(`drained upgrade of 3 + ${WORKERS}, ${AT_ONCE} at once`, `${ratio(bound)} of the bound with a canary`, '1.08')
    row('  time, and the bound', `${seconds(tookMs)}, ${bound} s; without a canary ${lower} s, ${ratio(lower)}`)
    const log = lab.log()
    const refused = log.filter((e) => e.type === 'pod.evicted' && e.code === 429 && !e.dryRun).length
    const evicted = log.filter((e) => e.type === 'pod.evicted' && e.code === 201 && !e.dryRun).length
    const { nodes = [] } = await lab.status()
    const upgraded = nodes.filter(({ version }) => version === 'v1.13.9').length
    row('  evictions', `${evicted}, and ${refused} that a budget put off`)
    row('  upgraded', `${upgraded} of ${nodes.length}`)
    row('  invariants broken', String(lab.check().length))
    tellStarts(lab)
  } finally {
    await lab.down()
  }
}

/** How often tools are started for three drained control planes; what takes long in it is let pass quickly. */
async function benchStarts(): Promise<void> {
  const lab = await startLab({ kubernetes: true, controlPlanes: 3, speed: 4 })
  try {
    const tookMs = time(workflow('upgrade', lab, '--output', 'quiet'))
    row('drained upgrade of 3 control planes', seconds(tookMs), '125 starts')
    tellStarts(lab)
  } finally {
    await lab.down()
  }
}

async function benchDryRun(controlPlanes: number, workers: number, aim?: string): Promise<void> {
  const lab = await startLab({ kubernetes: true, controlPlanes, workers, speed: 40 })
  try {
    const talosctl = await notingValidations(lab.dir)
    const plan = workflow('upgrade', lab, '--dry-run')
    const runs = Array.from({ length: 5 }, () => {
      const tookMs = time(plan, { TALOSCTL_1_13: talosctl.path })
      return { ...talosctl.taken(), tookMs, bareMs: time(['-e', '0']) }
    })
    const ratio = middle(runs.map((r) => (r.tookMs - r.validatedMs) / r.bareMs))
    row(
      `--dry-run of ${controlPlanes + workers} nodes`,
      `${ratio.toFixed(1)} times bare node, without validations`,
      aim,
    )
    const [whole, validated] = [middle(runs.map((r) => r.tookMs)), middle(runs.map((r) => r.validatedMs))]
    row('  time, and of that for validations', `${seconds(whole)}, ${seconds(validated)} for ${runs[0]?.validations}`)
  } finally {
    await lab.down()
  }
}

/** A talosctl that notes when it validates: the time in which nothing else is waited for. */
async function notingValidations(dir: string) {
  const path = join(dir, 'talosctl-noting')
  const notes = `${path}.notes`
  const real = await toolPath('talosctl-1.13')
  const validate = `from=$(date +%s%N); '${real}' "$@"; code=$?; echo "$from $(date +%s%N)" >>'${notes}'; exit $code`
  writeFileSync(path, `#!/bin/sh\nif [ "$1" = validate ]; then ${validate}; fi\nexec '${real}' "$@"\n`)
  chmodSync(path, 0o755)
  return {
    path,
    /** what was validated since it was asked last; those beside each other count once */
    taken(): { validations: number; validatedMs: number } {
      const lines = existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []
      rmSync(notes, { force: true })
      const spans = lines.map((line) => line.split(' ').map((ns) => Number(ns) / 1e6)).sort(([a = 0], [b = 0]) => a - b)
      let validatedMs = 0
      let until = 0
      for (const [from = 0, to = 0] of spans) {
        validatedMs += Math.max(0, to - Math.max(from, until))
        until = Math.max(until, to)
      }
      return { validations: spans.length, validatedMs }
    },
  }
}

/** What gen-config adds to talhelper, and where the time goes. */
async function benchGenConfig(count: number): Promise<void> {
  const world = await secretsWorld()
  try {
    const folder = join(world.dir, 'clusters/cluster-7')
    world.write('clusters/cluster-7/talenv.yaml', talenvOf(count))
    const { code, stderr } = world.init()
    if (code !== 0) throw new Error(stderr)
    // the tools themselves, not those of the world that record how they are called
    const real: Record<string, string> = {}
    for (const name of ['talhelper', 'sops', 'age-keygen', 'talosctl-1.13'] as const) {
      const tool = await resolveTool(name)
      if (!tool.found) throw new Error(tool.detail)
      real[toolTable[name].override] = tool.path
    }
    const env = { ...world.env, ...real, SOPS_AGE_KEY_FILE: join(world.home, '.config/sops/age/keys.txt') }
    const gen = ['--import', 'tsx', 'workflows/gen-config.ts', '--cluster', '7', '--dir', world.dir, '--output', 'json']
    const alone = [
      'genconfig',
      '--offline-mode',
      '--no-gitignore',
      '--config-file',
      `${folder}/talconfig.rendered.yaml`,
    ]
    alone.push('--secret-file', `${folder}/talsecret.sops.yaml`, '--env-file', '/dev/null', '--out-dir', world.home)
    const timed = (program: string, argv: string[]) => {
      const startedAt = performance.now()
      const { status, stdout, stderr } = spawnSync(program, argv, { cwd: root, env, encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
      return { tookMs: performance.now() - startedAt, stdout }
    }
    timed(process.execPath, gen)
    const talhelper = real.TALHELPER ?? 'talhelper'
    const runs = Array.from({ length: 5 }, () => ({
      gen: timed(process.execPath, gen),
      alone: timed(talhelper, alone),
    }))
    runs.sort((a, b) => a.gen.tookMs - b.gen.tookMs)
    const median = runs[2]
    if (median === undefined) return
    const phases = JSON.parse(median.gen.stdout.split('\n', 1)[0] ?? '').tookMs as Record<string, number>
    const ratio = median.gen.tookMs / median.alone.tookMs
    say(
      `gen-config of ${String(count).padEnd(3)} nodes              ${seconds(median.gen.tookMs)}, ${ratio.toFixed(1)} times talhelper alone (${seconds(median.alone.tookMs)})`,
    )
    const shares = Object.entries(phases).map(([phase, ms]) => `${phase} ${seconds(ms)}`)
    say(`  phases                              ${shares.join(', ')}`)
    const { talhelper: theirs = 0, talosctl = 0 } = phases
    const startMs = time(['--import', 'tsx', '-e', '0'])
    say(`  without talhelper, talosctl and tsx ${seconds(median.gen.tookMs - theirs - talosctl - startMs)}`)
  } finally {
    world.remove()
  }
}

/** The part before any tool, in this process: a declaration that is read, held against the rules, and rendered. */
async function benchRender(count: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    mkdirSync(join(dir, 'clusters/cluster-7'), { recursive: true })
    writeFileSync(join(dir, 'clusters/cluster-7/talenv.yaml'), talenvOf(count))
    const startedAt = performance.now()
    const loaded = loadCluster(dir, '7')
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure))
    const validatedAt = performance.now()
    const rendered = await renderConfig({ ...loaded.value, run: createRun({ paths: {}, env: process.env }) })
    if (!rendered.ok) throw new Error(JSON.stringify(rendered.problems))
    const end = performance.now()
    say(
      `validate and render ${count} nodes         ${seconds(end - startedAt)}: validate ${seconds(validatedAt - startedAt)}, render ${seconds(end - validatedAt)}`,
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** What a person waits for who asks for help or mistypes a flag, beside what tsx takes to start at all. */
function benchHelp(): void {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const empty = join(dir, 'empty.ts')
    writeFileSync(empty, '')
    const entries = readdirSync(join(root, 'workflows')).filter((name) => name.endsWith('.ts'))
    for (const flag of ['--help', '--no-such-flag'])
      for (const name of flag === '--help' ? entries : ['upgrade.ts']) {
        const { a, b, ratio } = compare(tsx(`workflows/${name}`, flag), tsx(empty), 7)
        const aim = flag === '--help' ? '1.10' : undefined
        row(
          `${name.replace(/\.ts$/, '')} ${flag}`,
          `${ratio.toFixed(2)} of an empty file, ${seconds(a)} and ${seconds(b)}`,
          aim,
        )
      }
    const start = compare(tsx(empty), ['-e', '0'], 7)
    row('an empty file', `${start.ratio.toFixed(1)} times bare node, ${seconds(start.a)}`)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const tsx = (...argv: string[]) => ['--import', 'tsx', ...argv]

const parts: Record<string, () => void | Promise<void>> = {
  help: benchHelp,
  async plan() {
    await benchDryRun(3, 0)
    await benchDryRun(3, 47, '30')
  },
  async 'gen-config'() {
    await benchGenConfig(3)
    await benchGenConfig(50)
    await benchRender(500)
  },
  upgrade: benchUpgrade,
  drain: benchDrain,
  starts: benchStarts,
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)
const unknown = wanted.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(', ')}: take ${Object.keys(parts).join(', ')}`)
  process.exitCode = 64
} else {
  const begunAt = performance.now()
  for (const name of wanted) {
    const startedAt = performance.now()
    // what fails in one part says nothing about the others
    try {
      await parts[name]?.()
    } catch (error) {
      process.exitCode = 1
      row(name, `failed: ${error instanceof Error ? error.message : String(error)}`)
    }
    say(`-- ${name} took ${seconds(performance.now() - startedAt)}\n`)
  }
  say(`-- all took ${seconds(performance.now() - begunAt)}`)
}
