import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Journal, type JournalRecord, openJournal, readJournal } from '../../../scripts/engine/journal.ts'
import type { RunEvent } from '../../../workflows/model/event.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const test = suite<{ file: string }>('journal')
test.before.each((context) => {
  context.file = join(mkdtempSync(join(tmpdir(), 'journal-')), 'run', 'journal.ndjson')
  mkdirSync(dirname(context.file), { mode: 0o700 })
})
test.after.each(({ file }) => rmSync(join(file, '../..'), { recursive: true, force: true }))

const resumed = (pid: number): JournalRecord => ({ type: 'resumed', at: '2026-11-20T02:30:00.000Z', pid })
const pids = (records: readonly JournalRecord[]) => records.map((r) => (r.type === 'resumed' ? r.pid : r.type))

test('has every record that append returned from, in their order', ({ file }) => {
  const journal = openJournal(file)
  for (const pid of [1, 2, 3]) journal.append(resumed(pid))
  assert.equal(pids(readJournal(file).records), [1, 2, 3])
  assert.equal(pids(journal.records), [1, 2, 3])
  journal.close()
})

test('is for the eyes of its owner', ({ file }) => {
  openJournal(file).close()
  assert.is(statSync(file).mode & 0o077, 0)
  assert.is(statSync(join(file, '..')).mode & 0o077, 0)
})

test('goes on after the last whole record, and drops a torn one', ({ file }) => {
  const first = openJournal(file)
  first.append(resumed(1))
  first.close()
  appendFileSync(file, JSON.stringify(resumed(2)).slice(0, -3))
  const second = openJournal(file)
  assert.equal(pids(second.records), [1])
  second.append(resumed(3))
  second.close()
  assert.equal(pids(readJournal(file).records), [1, 3])
  assert.equal(readFileSync(file, 'utf8').split('\n').length, 3, 'nothing of the torn one is left')
})

test('ends before a last line that is none, as a power cut leaves behind', ({ file }) => {
  writeFileSync(file, `${JSON.stringify(resumed(1))}\n\0\0\0\0\n`)
  assert.equal(pids(readJournal(file).records), [1])
})

test('with a line that is none before others is damaged, and not at its end there', ({ file }) => {
  writeFileSync(file, `${JSON.stringify(resumed(1))}\n\0\0\0\0\n${JSON.stringify(resumed(3))}\n`)
  assert.throws(() => readJournal(file), /journal\.ndjson is damaged in line 2/)
  assert.throws(() => openJournal(file), /damaged/)
})

test('with a last line that was written over is damaged', ({ file }) => {
  writeFileSync(file, `${JSON.stringify(resumed(1))}\n{"type":"inte\n`)
  assert.throws(() => readJournal(file), /damaged in line 2/)
})

test('holds nothing secret of what a tool said, and else what was written', ({ file }) => {
  const canary = 'canary.0123456789abcdef'
  const key = Buffer.from('-----BEGIN ED25519 PRIVATE KEY-----\ncanary').toString('base64')
  const said = failure('install-failed', { detail: `token: ${canary}`, hint: `talosctl --token=${canary} x` })
  const outcome = { type: 'outcome', path: 'a/install/install', at: '', tookMs: 1, ok: false, failure: said } as const
  const plan = upgradePlan([nodePlan('a', 'controlplane', { why: `key: ${key}` })])
  const run = { type: 'run', v: 1, run: 'r', command: 'upgrade', cluster: 'c', at: '', inputs: 'i', plan } as const
  const journal = openJournal(file)
  journal.append({ ...run, again: `x --password=${canary}`, identity: 'e'.repeat(64) })
  journal.append(outcome)
  journal.close()
  const text = readFileSync(file, 'utf8')
  for (const secret of [canary, key]) assert.not.match(text, secret)
  assert.is(text.match(/\(redacted\)/g)?.length, 4)
  const [first, second] = readJournal(file).records
  assert.is(first?.type === 'run' && first.identity, 'e'.repeat(64))
  assert.equal(second?.type === 'outcome' && !second.ok && second.failure.reason, 'install-failed')
})

test('that is not there has no records', ({ file }) => {
  assert.equal(readJournal(file), { records: [], bytes: 0, torn: '' })
})

test('has whole records of more bytes than characters', ({ file }) => {
  const journal = openJournal(file)
  journal.append({ type: 'end', at: '', how: 'abandoned', state: 'schön → 完' })
  journal.append(resumed(2))
  journal.close()
  assert.equal(pids(readJournal(file).records), ['end', 2])
})

test('of which only a part fits on the disk says so, and counts no record that is not whole', ({ file }) => {
  const module = new URL('../../../scripts/engine/journal.ts', import.meta.url)
  const program = `
    const { openJournal } = await import(${JSON.stringify(module)})
    const journal = openJournal(${JSON.stringify(file)})
    let appended = 0
    try {
      for (; appended < 5000; appended++) journal.append(${JSON.stringify(resumed(1))})
    } catch ({ code }) {
      console.log(code, appended)
    }`
  // a limit on the size of files is a full disk that needs no privileges
  const line = 'ulimit -f 64 && exec "$0" "$@"'
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', line, process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  const [code, appended] = stdout.trim().split(' ')
  assert.is(code, 'EFBIG', stderr)
  assert.ok(readFileSync(file).at(-1) !== 10, 'the last record is there in part')
  assert.is(readJournal(file).records.length, Number(appended))
})

/** Drives an upgrade of three nodes in this process with a journal that can not be written from a record on. */
async function driveUntilFull(file: string, full: number) {
  mkdirSync(dirname(file), { recursive: true })
  const fake = fakeCluster(['a', 'b', 'c'])
  const journal = openJournal(file)
  const filling: Journal = {
    ...journal,
    append(record) {
      if (journal.records.length >= full) throw new Error('ENOSPC: no space left on device, write')
      journal.append(record)
    },
  }
  const events: RunEvent[] = []
  const driven = await driveFake(fake, dirname(file), filling, { emit: (event) => events.push(event) })
  journal.close()
  return { driven, fake, started: events.filter((e) => e.type === 'step.started').length }
}

test('that can not be written lets nothing start that it does not tell of', async ({ file }) => {
  const whole = join(file, '../whole/journal.ndjson')
  assert.is((await driveUntilFull(whole, Number.POSITIVE_INFINITY)).driven.ended, 'done')
  const total = readJournal(whole).records.length
  assert.ok(total > 30)
  for (let full = 0; full < total; full++) {
    const run = join(file, `../${full}/journal.ndjson`)
    const { driven, fake, started } = await driveUntilFull(run, full)
    assert.is(driven.ended, 'broken', `full after ${full} records`)
    if (driven.ended === 'broken') assert.is(driven.failure.reason, 'journal-unwritable')
    const { records } = readJournal(run)
    assert.is(records.length, full)
    assert.is(started, records.filter((r) => r.type === 'intent').length)
    assert.equal(fake.trouble, [])
  }
})

test.run()
