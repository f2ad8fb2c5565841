import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import type { TalosctlName } from '../../scripts/toolchain/tool-table.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { type TestLab, toolPath } from './lab.ts'
import { startEntry } from './run-entry.ts'

type Finished = Extract<RunEvent, { type: 'run.finished' }>

/** How a run of a verb ended, and all that it said. */
export type UpgradeRun = {
  code: number | null
  /** what it printed with `--output json` */
  events: RunEvent[]
  finished: Finished
  verdicts: Finished['verdicts']
  /** reasons of the failures, each once */
  reasons: FailureReason[]
  /** names in the order of the plan; empty when there was none */
  order: string[]
  stderr: string
}

type Options = {
  /** flags besides `--cluster`, `--dir` and `--output` */
  flags?: readonly string[]
  /** of operations.yaml, like `{ reboot: '8s' }`: what the test wants to see pass; others are as long as on real machines */
  deadlines?: Readonly<Record<string, string>>
  /** other parts of operations.yaml */
  operations?: Readonly<Record<string, unknown>>
  /** the talosctl that drives it, whatever the target; else the one that fits */
  by?: TalosctlName
  /** more of its environment, and a file that node loads before it */
  env?: NodeJS.ProcessEnv
  preload?: string
}

/** Upgrades a lab as cron would: no terminal, NDJSON. The process dies with the test. */
export const runUpgrade = (lab: TestLab, options: Options = {}): Promise<UpgradeRun> => runVerb('upgrade', lab, options)

/** The same with any verb. */
export async function runVerb(
  entry: VerbName,
  lab: TestLab,
  { flags = [], deadlines = {}, operations = {}, by, env: more = {}, preload }: Options = {},
): Promise<UpgradeRun> {
  const file = join(lab.clusterDir, 'operations.yaml')
  const before = existsSync(file) ? parse(readFileSync(file, 'utf8')) : {}
  // a machine that runs several labs may be slow to answer
  writeFileSync(file, stringify({ ...before, ...operations, deadlines: { observe: '60s', ...deadlines } }))
  const named = by === undefined ? {} : { TALOSCTL_1_13: '', TALOSCTL_1_14: '', TALOSCTL: await toolPath(by) }
  const env = { ...process.env, ...named, ...more }
  const run = startEntry(lab, { entry, flags: ['--output', 'json', ...flags], env, ...(preload ? { preload } : {}) })
  const { code, stderr } = await run.closed
  const events = run.events()
  const finished = events.find((event) => event.type === 'run.finished')
  if (!finished) throw new Error(`the run ended with ${code} and no last word: ${stderr}`)
  const started = events.find((event) => event.type === 'run.started')
  return {
    code,
    events,
    finished,
    verdicts: finished.verdicts,
    reasons: [...new Set(finished.failures.map(({ reason }) => reason))],
    order: started?.plan.nodes.map(({ node }) => node) ?? [],
    stderr,
  }
}

/** What a run has to end with; verdicts in the order of `nodes`. */
export type Ending = { code: number; verdicts: readonly Verdict[]; reasons: readonly FailureReason[] }

/** Fails with all that the run said at its end. */
export function assertEnding(run: UpgradeRun, nodes: readonly string[], { code, verdicts, reasons }: Ending): void {
  const { failures, ...rest } = run.finished
  const detail = JSON.stringify({ ...rest, failures, stderr: run.stderr }, null, 2)
  assert.equal(
    { code: run.code, exitCode: run.finished.exitCode, verdicts: nodes.map((n) => run.verdicts[n]), why: run.reasons },
    { code, exitCode: code, verdicts: [...verdicts], why: [...reasons] },
    detail,
  )
}
