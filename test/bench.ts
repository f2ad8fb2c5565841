/**
 * `npm run bench`: how long an upgrade takes beside the least that it can take, and how long the command line takes
 * beside bare node. Ratios within one run; nothing here is asserted.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { LoggedEvent } from '../lab/lab-event.ts'
import { startLab, type TestLab } from './support/lab.ts'

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

async function benchDryRun(controlPlanes: number, workers: number): Promise<void> {
  const lab = await startLab({ controlPlanes, workers, speed: 40 })
  try {
    const { a, ratio } = compare(workflow('upgrade', lab, '--dry-run'), ['-e', '0'], 5)
    say(
      `--dry-run of ${String(controlPlanes + workers).padEnd(2)} nodes               ${seconds(a)}, ${ratio.toFixed(1)} times bare node`,
    )
  } finally {
    await lab.down()
  }
}

const help = compare(['--import', 'tsx', 'workflows/upgrade.ts', '--help'], ['-e', '0'], 11)
say(
  `--help                                ${seconds(help.a)}, ${help.ratio.toFixed(1)} times bare node (${seconds(help.b)})`,
)
const bare = compare(['--import', 'tsx', '-e', '0'], ['-e', '0'], 11)
say(`  of which the start of tsx           ${seconds(bare.a)}, ${bare.ratio.toFixed(1)} times bare node`)
await benchDryRun(3, 0)
await benchDryRun(3, 47)
await benchUpgrade()
