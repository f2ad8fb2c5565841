/**
 * `npm run bench [-- gen-config | drain | upgrade | start]`: how long an upgrade takes beside the least that it can take, how long
 * gen-config takes beside talhelper alone, and how long the command line takes beside bare node. Ratios within one run;
 * nothing here is asserted.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { LoggedEvent } from '../lab/lab-event.ts'
import { renderConfig } from '../scripts/config/render-config.ts'
import { loadCluster } from '../scripts/declaration/load-cluster.ts'
import { createRun } from '../scripts/run.ts'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { toolTable } from '../scripts/toolchain/tool-table.ts'
import { startLab, type TestLab } from './support/lab.ts'
import { secretsWorld } from './support/secrets-world.ts'
import { talenvOf } from './support/talenv-of.ts'
import { budgetOver, database, deployment } from './support/workloads.ts'

const root = join(import.meta.dirname, '..')
const say = (line: string) => void process.stdout.write(`${line}\n`)
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

function time(argv: string[]): number {
  const startedAt = performance.now()
  spawnSync(process.execPath, argv, { cwd: root, stdio: 'ignore' })
  return performance.now() - startedAt
}

/** The median of some pairs, one after the other so that both see the same machine. */
function compare(a: string[], b: string[], pairs: number): { a: number; b: number; ratio: number } {
  const runs = Array.from({ length: pairs }, () => ({ a: time(a), b: time(b) }))
  const median = (values: number[]) => values.sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? Number.NaN
  return { a: median(runs.map((r) => r.a)), b: median(runs.map((r) => r.b)), ratio: median(runs.map((r) => r.a / r.b)) }
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
    say(
      `rolling upgrade of 3 control planes   ${seconds(tookMs)}, bound ${seconds(boundMs)}, ratio ${(tookMs / boundMs).toFixed(3)}`,
    )
    const upAt = log.findIndex((e) => e.type === 'lab.up')
    const ready = log.slice(upAt + 1).filter((e) => e.type === 'machine.ready')
    const after = (fits: (e: LoggedEvent) => boolean) =>
      ready
        .flatMap(({ at }) => {
          const next = log.find((e) => e.at > at && fits(e))
          return next ? [Date.parse(next.at) - Date.parse(at)] : []
        })
        .sort((a, b) => a - b)
    const first = after((e) => e.type === 'rpc')
    const change = after((e) => e.type === 'reboot.requested' || e.type === 'install.started')
    const middle = (list: number[]) => seconds(list[Math.floor(list.length / 2)] ?? Number.NaN)
    say(`from ready to our next call           median ${middle(first)} of ${first.length}`)
    say(
      `from ready to our next change         median ${middle(change)} of ${change.length} (verify, gate and hand-over lie between)`,
    )
    say(`invariants broken                     ${lab.check().length}`)
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
    const ratio = (least: number) => (tookMs / 1000 / least).toFixed(2)
    say(
      `drained upgrade of 3 + ${WORKERS}, ${AT_ONCE} at once   ${seconds(tookMs)}, bound ${bound} s with a canary, ratio ${ratio(bound)}; without ${lower} s, ratio ${ratio(lower)}`,
    )
    const log = lab.log()
    const refused = log.filter((e) => e.type === 'pod.evicted' && e.code === 429 && !e.dryRun).length
    const evicted = log.filter((e) => e.type === 'pod.evicted' && e.code === 201 && !e.dryRun).length
    const { nodes = [] } = await lab.status()
    say(`  evictions                           ${evicted}, and ${refused} that a budget put off`)
    say(
      `  upgraded                            ${nodes.filter(({ version }) => version === 'v1.13.9').length} of ${nodes.length}`,
    )
    say(`  invariants broken                   ${lab.check().length}`)
  } finally {
    await lab.down()
  }
}

async function benchDryRun(controlPlanes: number, workers: number): Promise<void> {
  const lab = await startLab({ kubernetes: true, controlPlanes, workers, speed: 40 })
  try {
    const { a, ratio } = compare(workflow('upgrade', lab, '--dry-run'), ['-e', '0'], 5)
    say(
      `--dry-run of ${String(controlPlanes + workers).padEnd(2)} nodes               ${seconds(a)}, ${ratio.toFixed(1)} times bare node`,
    )
  } finally {
    await lab.down()
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

function benchStart(): void {
  const help = compare(['--import', 'tsx', 'workflows/upgrade.ts', '--help'], ['-e', '0'], 11)
  say(
    `--help                                ${seconds(help.a)}, ${help.ratio.toFixed(1)} times bare node (${seconds(help.b)})`,
  )
  const bare = compare(['--import', 'tsx', '-e', '0'], ['-e', '0'], 11)
  say(`  of which the start of tsx           ${seconds(bare.a)}, ${bare.ratio.toFixed(1)} times bare node`)
}

const parts: Record<string, () => void | Promise<void>> = {
  start: benchStart,
  async 'gen-config'() {
    await benchGenConfig(3)
    await benchGenConfig(50)
    await benchRender(500)
  },
  drain: benchDrain,
  async upgrade() {
    await benchDryRun(3, 0)
    await benchDryRun(3, 47)
    await benchUpgrade()
  },
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)
const unknown = wanted.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0) {
  say(`There is no bench ${unknown.join(', ')}: take ${Object.keys(parts).join(', ')}`)
  process.exitCode = 64
} else {
  for (const name of wanted) await parts[name]?.()
}
