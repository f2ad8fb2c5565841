// limit: 600 s
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { type JournalRecord, readJournal } from '../../scripts/engine/journal.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { type EntryOptions, type Running, startEntry, watchProcess } from '../support/run-entry.ts'

const test = suite('signals')
const nodes = ['k8s-1', 'k8s-2', 'k8s-3']
let lab: TestLab

// The tests are one story: each takes up the upgrade that the one before has stopped.
test.before(async () => {
  // an installation takes eight seconds, so that a second request to stop can come while it runs
  lab = await startLab({ target: 'v1.13.6', timings: { installSeconds: 320 } })
})
test.after(() => lab.down())

const upgrade = (options: Omit<EntryOptions, 'entry'> = {}): Running =>
  startEntry(lab, { ...options, flags: ['--output', 'json', ...(options.flags ?? [])] })

const since = (from: number): LoggedEvent[] => lab.log().slice(from)
const ofType = (from: number, type: LoggedEvent['type']): string[] =>
  since(from).flatMap((event) => (event.type === type && 'node' in event ? [event.node] : []))

/** Waits for the lab to log that after line `from`, and tells the node. */
async function logged(from: number, type: LoggedEvent['type'], but: readonly string[] = []): Promise<string> {
  const fits = (event: LoggedEvent) => event.type === type && 'node' in event && !but.includes(event.node)
  const event = await lab.logged(fits, { from })
  return 'node' in event ? event.node : ''
}

function finished(run: Running): Extract<RunEvent, { type: 'run.finished' }> {
  const end = run.events().find((event) => event.type === 'run.finished')
  if (end?.type !== 'run.finished') throw new Error('it said nothing at its end')
  return end
}

const journalOf = (run: Running): readonly JournalRecord[] =>
  readJournal(join(lab.clusterDir, '.run', finished(run).run, 'journal.ndjson')).records

/** Types the command that a stopped run has printed. */
function typeNext(stopped: Running): Running {
  const { next } = finished(stopped)
  assert.match(next ?? '', /^node --import tsx workflows\/upgrade\.ts /)
  return watchProcess('bash', ['-c', `exec ${next}`], process.env)
}

async function saysThatItResumes(run: Running): Promise<void> {
  const begun = await run.said((event) => event.type === 'run.started')
  assert.ok(begun.type === 'run.started' && begun.resumed)
}

const assertOnce = (what: string, told: readonly string[], expected: readonly string[]) =>
  assert.equal([...told].sort(), [...expected].sort(), what)

let stopped: Running
let canary: string

test('SIGTERM during a pull ends it, exits 143 and starts nothing', async () => {
  for (const node of nodes) await lab.fault({ name: 'image-pull-hangs', node })
  const from = lab.log().length
  stopped = upgrade()
  await logged(from, 'pull.started')
  stopped.kill('SIGTERM')
  const { code, stderr } = await stopped.closed
  assert.is(code, 143, stderr)
  assert.is(finished(stopped).exitCode, 143)
  assert.equal(ofType(from, 'install.started'), [])
  for (const verdict of Object.values(finished(stopped).verdicts)) assert.is(verdict, 'unchanged')
  await lab.cure()
})

test('Ctrl-C during an installation, delivered twice within 40 ms, lets it end, journals that and exits 130', async () => {
  const from = lab.log().length
  const run = typeNext(stopped)
  await saysThatItResumes(run)
  canary = await logged(from, 'install.started')
  run.kill('SIGINT')
  await pause(30)
  run.kill('SIGINT')
  const { code, stderr } = await run.closed
  assert.is(code, 130, stderr)
  assert.equal(ofType(from, 'install.finished'), [canary], 'it waited for its end')
  assert.equal(ofType(from, 'reboot.requested'), [])
  const outcome = journalOf(run).findLast((record) => record.type === 'outcome')
  assert.ok(outcome?.type === 'outcome' && outcome.ok && outcome.path.endsWith('/install'), JSON.stringify(outcome))
  assert.is(finished(run).verdicts[canary], 'installed-not-rebooted')
  stopped = run
})

test('SIGINT during a reboot waits until the node is back, touches no second one and exits 130', async () => {
  const from = lab.log().length
  const run = typeNext(stopped)
  assert.is(await logged(from, 'machine.down'), canary)
  run.kill('SIGINT')
  const { code, stderr } = await run.closed
  assert.is(code, 130, stderr)
  assert.equal(ofType(from, 'install.started'), [])
  assert.equal(ofType(from, 'reboot.requested'), [canary])
  assert.equal(ofType(from, 'machine.booting'), [canary])
  stopped = run
})

test('SIGTERM to the whole group of npx during a reboot touches no further node and exits 143', async () => {
  const from = lab.log().length
  const run = upgrade({ by: 'npx' })
  const second = await logged(from, 'machine.down')
  run.kill('SIGTERM', 'group')
  await run.closed
  assert.is(finished(run).exitCode, 143)
  assert.equal(ofType(from, 'reboot.requested'), [second])
  assert.equal(ofType(from, 'machine.booting'), [second])
  assertOnce(
    'both were installed before',
    ofType(from, 'install.finished'),
    nodes.filter((node) => node !== canary),
  )
  stopped = run
})

test('SIGTERM to npx alone ends only npx: the run goes on unharmed, and a second one is told so', async () => {
  const from = lab.log().length
  const rebooted = ofType(0, 'reboot.requested')
  const [last = ''] = nodes.filter((node) => !rebooted.includes(node))
  // the last node stays away, so that the run is still at work when the second one comes
  await lab.fault({ name: 'never-returns', node: last })
  const run = upgrade({ by: 'npx' })
  const third = await logged(from, 'machine.down')
  assert.is(third, last)
  run.kill('SIGTERM')
  const { code, signal } = await run.exited
  assert.ok(code === 143 || signal === 'SIGTERM', `npx ended with ${code ?? signal}`)
  assert.not.ok(
    run.events().some((event) => event.type === 'run.finished'),
    'the run itself goes on',
  )
  const meanwhile = upgrade()
  assert.is((await meanwhile.closed).code, 75)
  assert.match(finished(meanwhile).failures[0]?.detail ?? '', `upgrade of cluster-${lab.cluster} (pid `)
  await lab.cure()
  await run.closed
  assert.is(finished(run).exitCode, 0)
  assert.equal(ofType(from, 'reboot.requested'), [third])
})

test('after all of that every node was installed and rebooted once, and nothing is left to do', async () => {
  const again = upgrade()
  const { code, stderr } = await again.closed
  assert.is(code, 0, stderr)
  for (const node of nodes) assert.is(finished(again).verdicts[node], 'unchanged')
  for (const type of ['install.started', 'install.finished', 'reboot.requested'] as const)
    assertOnce(type, ofType(0, type), nodes)
  assert.equal(lab.check(), [])
})

test('a second Ctrl-C after two seconds stops waiting for an installation, which goes on; the next run waits for it', async () => {
  const from = lab.log().length
  const flags = ['--to', 'v1.13.7', '--nodes', 'k8s-1']
  const run = upgrade({ flags })
  await logged(from, 'install.started')
  run.kill('SIGINT')
  await pause(2_100)
  run.kill('SIGINT')
  const { code, stderr } = await run.exited
  assert.is(code, 130, stderr)
  assert.equal(ofType(from, 'install.finished'), [], 'it is still at work')

  const next = typeNext(run)
  await saysThatItResumes(next)
  await next.said(
    (event) => event.type === 'waiting' && /the command of an earlier run \(pid \d+\) to end/.test(event.for),
  )
  const ended = await next.closed
  assert.is(ended.code, 0, ended.stderr)
  assert.equal(finished(next).verdicts, { 'k8s-1': 'upgraded' })
  assert.equal(ofType(from, 'install.started'), ['k8s-1'])
  assert.equal(ofType(from, 'reboot.requested'), ['k8s-1'])
  assert.equal(lab.check(), [])
})

test.run()
