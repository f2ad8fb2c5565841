/** Kills an upgrade of a lab's cluster at a chosen moment, types the same command again, and looks at what both did. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { type JournalRecord, readJournal } from '../../scripts/engine/journal.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import type { TestLab } from './lab.ts'
import { type Exit, startEntry } from './run-entry.ts'

const flags = ['--output', 'plain']

/** Runs the verb and has it killed after its n-th record; false when it ended before. */
export async function dieAfterRecord(
  lab: TestLab,
  records: number,
  wish: readonly string[] = [],
  entry: VerbName = 'upgrade',
): Promise<boolean> {
  const env = { ...process.env, DIE_AFTER_RECORD: String(records) }
  const preload = join(import.meta.dirname, 'die-after-record.ts')
  const { signal, code, stderr } = await startEntry(lab, { entry, flags: [...flags, ...wish], env, preload }).exited
  if (signal === 'SIGKILL') return true
  assert.is(code, 0, stderr)
  return false
}

/** Runs the upgrade and has it killed right after it has written down that it means to do `step`. */
export const dieAfterIntent = (
  lab: TestLab,
  step: string,
  more: readonly string[] = [],
  entry: VerbName = 'upgrade',
): Promise<void> => die(lab, { DIE_AFTER_INTENT_OF: step }, more, entry)

/** The same, right after it has written down how `step` ended. */
export const dieAfterOutcome = (lab: TestLab, step: string): Promise<void> => die(lab, { DIE_AFTER_OUTCOME_OF: step })

async function die(
  lab: TestLab,
  when: NodeJS.ProcessEnv,
  more: readonly string[] = [],
  entry: VerbName = 'upgrade',
): Promise<void> {
  const env = { ...process.env, ...when }
  const preload = join(import.meta.dirname, 'die-after-record.ts')
  const { signal, stderr } = await startEntry(lab, { entry, flags: [...flags, ...more], env, preload }).exited
  assert.is(signal, 'SIGKILL', stderr)
}

/**
 * Runs the upgrade, holds it right before it writes the outcome of `step`, and lets it go on when `meanwhile` is over.
 * `fits` is what the lab logs when the step has done its work.
 */
export async function changeDuring(
  lab: TestLab,
  { step, fits }: { step: string; fits: (event: LoggedEvent) => boolean },
  meanwhile: () => Promise<void>,
): Promise<Exit> {
  const from = lab.log().length
  const goOn = join(lab.clusterDir, 'go-on')
  const env = { ...process.env, HOLD_OUTCOME_OF: step, GO_ON: goOn }
  const upgrade = startEntry(lab, { flags, env, preload: join(import.meta.dirname, 'hold-outcome.ts') })
  await Promise.race([lab.logged(fits, { from }), upgrade.exited])
  await meanwhile()
  writeFileSync(goOn, '')
  return upgrade.closed
}

/**
 * Runs the upgrade and kills it as soon as the lab has logged a fitting event; the outcome of `step` never gets into its
 * journal before.
 */
export async function dieWhenLogged(
  lab: TestLab,
  {
    step,
    fits,
    wish = [],
    entry = 'upgrade',
  }: { step: string; fits: (event: LoggedEvent) => boolean; wish?: readonly string[]; entry?: VerbName },
): Promise<void> {
  const from = lab.log().length
  const env = { ...process.env, HOLD_OUTCOME_OF: step }
  const upgrade = startEntry(lab, {
    entry,
    flags: [...flags, ...wish],
    env,
    preload: join(import.meta.dirname, 'hold-outcome.ts'),
  })
  try {
    await Promise.race([
      lab.logged(fits, { from }),
      upgrade.exited.then(({ code, stderr }) => assert.unreachable(`it ended (${code}) before the event:\n${stderr}`)),
    ])
  } finally {
    upgrade.kill('SIGKILL')
  }
  assert.is((await upgrade.exited).signal, 'SIGKILL')
}

/** The journal of the newest run. */
export const journalOf = (lab: TestLab): readonly JournalRecord[] =>
  readJournal(join(newestRun(lab), 'journal.ndjson')).records

/** What the newest report says of the run as a whole. */
export const reportOf = (lab: TestLab): { resumed: boolean; exitCode: number } =>
  JSON.parse(readFileSync(join(newestRun(lab), 'report.json'), 'utf8'))

function newestRun(lab: TestLab): string {
  const folder = join(lab.clusterDir, '.run')
  const runs = readdirSync(folder).filter((name) => /^\d{4}-/.test(name))
  return join(folder, runs.sort().at(-1) ?? '')
}

/** A node that runs the new version from the start: two more are enough for one that dies and one that comes after it. */
export const oneDone = { 'k8s-1': 'v1.13.9' }

/** What was begun, for the command that finishes it. */
type Begun = {
  /** all nodes that nothing is to be done to */
  done?: object
  entry?: VerbName
  wish?: readonly string[]
  /** the line of the lab's log at which it was begun */
  from?: number
}

/** Types the command again: it must end well, and both runs together must have done everything once, but to `done` nothing. */
export async function finishAndJudge(
  lab: TestLab,
  when: string,
  { done = {}, entry = 'upgrade', wish = [], from = 0 }: Begun = {},
): Promise<void> {
  const { code, stdout, stderr } = await startEntry(lab, { entry, flags: [...flags, ...wish] }).closed
  const output = `${stderr}\n${stdout}`
  assert.is(code, 0, `${when}\n${output}`)
  const log = lab.log().slice(from)
  const count = (type: LoggedEvent['type'], node: string) =>
    log.filter((e) => e.type === type && 'node' in e && e.node === node).length
  for (const node of Object.keys(lab.addresses)) {
    const seen = {
      started: count('install.started', node),
      finished: count('install.finished', node),
      reboots: count('reboot.requested', node),
    }
    const reboots = node in done ? 0 : 1
    const installs = entry === 'reboot' ? 0 : reboots
    assert.equal(seen, { started: installs, finished: installs, reboots }, `${when}: ${node}\n${output}`)
  }
  const evicted = log.flatMap((e) =>
    e.type === 'pod.evicted' && e.code === 201 && !e.dryRun ? [`${e.pod} from ${e.node}`] : [],
  )
  assert.equal(
    evicted.filter((eviction, index) => evicted.indexOf(eviction) !== index),
    [],
    `${when}: evicted twice`,
  )
  assert.equal(lab.check(), [], when)
}
