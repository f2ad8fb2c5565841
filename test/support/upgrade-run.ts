import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { RunEvent } from '../../workflows/model/event.ts'
import type { TestLab } from './lab.ts'

const root = join(import.meta.dirname, '../..')
const entry = join(root, 'workflows/upgrade.ts')

type Finished = Extract<RunEvent, { type: 'run.finished' }>

/** How a run of the entry ended, and all that it said. */
export type UpgradeRun = {
  code: number | null
  /** what it printed with `--output json` */
  events: RunEvent[]
  finished: Finished
  verdicts: Finished['verdicts']
  stderr: string
}

export type UpgradeRunOptions = {
  /** flags besides `--cluster`, `--dir` and `--output` */
  flags?: readonly string[]
  /** of operations.yaml, like `{ reboot: '8s' }`: what the test wants to see passing; the others are those of real machines */
  deadlines?: Readonly<Record<string, string>>
  /** the run is killed after that and the promise rejects */
  limitMs?: number
}

/** Runs workflows/upgrade.ts against a lab, as cron would: no terminal, NDJSON. The process dies with the test. */
export async function runUpgrade(lab: TestLab, options: UpgradeRunOptions = {}): Promise<UpgradeRun> {
  const { flags = [], deadlines = {}, limitMs = 120_000 } = options
  writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ deadlines }))
  const argv = ['--import', 'tsx', entry, '--cluster', lab.cluster, '--dir', lab.dir, '--output', 'json', ...flags]
  const child = spawn(process.execPath, argv, {
    cwd: root,
    env: { ...process.env, TALOSCTL: lab.tools.talosctl },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  const die = () => void child.kill('SIGKILL')
  process.once('exit', die)
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  process.removeListener('exit', die)
  const events = said.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent)
  const finished = events.find((event) => event.type === 'run.finished')
  if (!finished) throw new Error(`the run ended with ${code} and without a word\n${said.stdout}\n${said.stderr}`)
  return { code, events, finished, verdicts: finished.verdicts, stderr: said.stderr }
}
