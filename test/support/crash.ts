/** Kills an upgrade of a lab's cluster at a chosen moment, types the same command again, and looks at what both did. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { type JournalRecord, readJournal } from '../../scripts/engine/journal.ts'
import type { TestLab } from './lab.ts'

const root = join(import.meta.dirname, '..', '..')

export type Ended = { code: number | null; signal: NodeJS.Signals | null; output: string }

/** Starts the workflow as a person would, and collects what it says. */
function start(lab: TestLab, dieAfterRecord?: number): { child: ChildProcess; ended: Promise<Ended> } {
  const preload = dieAfterRecord === undefined ? [] : ['--import', join(import.meta.dirname, 'die-after-record.ts')]
  const argv = [
    '--import',
    'tsx',
    ...preload,
    'workflows/upgrade.ts',
    '--cluster',
    lab.cluster,
    '--dir',
    lab.dir,
    '--output',
    'plain',
  ]
  const env = { ...process.env, ...(dieAfterRecord === undefined ? {} : { DIE_AFTER_RECORD: String(dieAfterRecord) }) }
  const child = spawn(process.execPath, argv, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  const stopWithUs = () => child.kill('SIGKILL')
  process.once('exit', stopWithUs)
  const ended = new Promise<Ended>((resolve) =>
    // not `close`: what a killed run left behind may hold its pipes
    child.once('exit', (code, signal) => {
      process.off('exit', stopWithUs)
      resolve({ code, signal, output })
    }),
  )
  return { child, ended }
}

/** Runs the upgrade and has it killed after its n-th record; false when it ended before. */
export async function dieAfterRecord(lab: TestLab, records: number): Promise<boolean> {
  const { signal, code, output } = await start(lab, records).ended
  if (signal === 'SIGKILL') return true
  assert.is(code, 0, output)
  return false
}

/** Runs the upgrade and kills it as soon as the lab has logged a fitting event. */
export async function dieWhenLogged(lab: TestLab, fits: (event: LoggedEvent) => boolean): Promise<void> {
  const from = lab.log().length
  const { child, ended } = start(lab)
  await Promise.race([
    lab.logged(fits, { from, deadlineMs: 120_000 }),
    ended.then(({ code, output }) => assert.unreachable(`it ended (${code}) before the event:\n${output}`)),
  ])
  child.kill('SIGKILL')
  assert.is((await ended).signal, 'SIGKILL')
}

/** The journal of the newest run. */
export function journalOf(lab: TestLab): readonly JournalRecord[] {
  const folder = join(lab.clusterDir, '.run')
  const runs = readdirSync(folder)
    .filter((name) => /^\d{4}-/.test(name))
    .sort()
  return readJournal(join(folder, runs.at(-1) ?? '', 'journal.ndjson')).records
}

/** Types the command again: it must end well, and both runs together must have done everything once. */
export async function finishAndJudge(lab: TestLab, when: string): Promise<void> {
  const { code, output } = await start(lab).ended
  assert.is(code, 0, `${when}\n${output}`)
  const log = lab.log()
  const count = (type: LoggedEvent['type'], node: string) =>
    log.filter((e) => e.type === type && 'node' in e && e.node === node).length
  for (const node of Object.keys(lab.addresses)) {
    const seen = {
      started: count('install.started', node),
      finished: count('install.finished', node),
      reboots: count('reboot.requested', node),
    }
    assert.equal(seen, { started: 1, finished: 1, reboots: 1 }, `${when}: ${node}\n${output}`)
  }
  assert.equal(lab.check(), [], when)
}

/** What the newest report says of the run as a whole. */
export function reportOf(lab: TestLab): { resumed: boolean; exitCode: number } {
  const folder = join(lab.clusterDir, '.run')
  const runs = readdirSync(folder)
    .filter((name) => /^\d{4}-/.test(name))
    .sort()
  return JSON.parse(readFileSync(join(folder, runs.at(-1) ?? '', 'report.json'), 'utf8'))
}
