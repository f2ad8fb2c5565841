import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { onDisk } from '../../../scripts/disk/on-disk.ts'
import { type JournalRecord, openJournal } from '../../../scripts/engine/journal.ts'
import {
  findUnfinishedRuns,
  newRun,
  openRunFolder,
  prune,
  recall,
  runFolder,
} from '../../../scripts/engine/run-folder.ts'
import type { Diagnosis } from '../../../workflows/machines/node.ts'
import { onFailingDisk } from '../../support/failing-disk.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const test = suite<{ folder: string }>('run folder')
test.before.each((context) => {
  context.folder = runFolder(mkdtempSync(join(tmpdir(), 'run-folder-')))
  openRunFolder(context.folder)
})
test.after.each(({ folder }) => rmSync(join(folder, '..'), { recursive: true, force: true }))

const plan = upgradePlan([nodePlan('a', 'controlplane'), nodePlan('b', 'worker')])
const image = 'factory.talos.dev/metal-installer/s:v1.13.9'
const at = '2026-11-20T02:30:00.000Z'

const verdict = (node: string, verdict: Diagnosis['verdict'], step = 'diagnose'): JournalRecord => ({
  type: 'outcome',
  path: `${node}/flip/${step}`,
  at,
  tookMs: 1,
  ok: true,
  output: { verdict, evidence: {} } satisfies Diagnosis,
})
const ended: JournalRecord = { type: 'end', at, how: 'finished', exitCode: 0 }

/** A run of that minute; returns its name. */
function leave(folder: string, minute: number, records: JournalRecord[], identity = 'ours'): string {
  const paths = newRun(folder, 'upgrade', new Date(Date.UTC(2026, 10, 20, 2, minute)))
  const journal = openJournal(paths.journal)
  const run = { type: 'run', v: 1, run: paths.run, command: 'upgrade', cluster: 'cluster-7', at } as const
  for (const record of [{ ...run, inputs: 'i', plan, again: '', identity } satisfies JournalRecord, ...records])
    journal.append(record)
  journal.close()
  return paths.run
}

const runs = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('2026'))

test('keeps itself out of git', ({ folder }) => {
  assert.is(readFileSync(join(folder, '.gitignore'), 'utf8'), '*\n')
})

for (const left of ['', '*', '# .run\n'])
  test(`keeps itself out of git where a full disk or a kill left ${JSON.stringify(left)} of the line that does`, ({
    folder,
  }) => {
    writeFileSync(join(folder, '.gitignore'), left)
    openRunFolder(folder)
    assert.is(readFileSync(join(folder, '.gitignore'), 'utf8'), '*\n')
  })

test('a new run survives a power cut, and so does the folder of all runs', ({ folder }) => {
  const { fsyncSync } = fs
  const synced: string[] = []
  fs.fsyncSync = (file) => {
    synced.push(readlinkSync(`/proc/self/fd/${file}`))
    fsyncSync(file)
  }
  syncBuiltinESMExports()
  try {
    const root = join(folder, 'new', '.run')
    const { folder: own } = newRun(root, 'upgrade', new Date())
    for (const above of [folder, join(folder, 'new'), root, own]) assert.ok(synced.includes(above), above)
  } finally {
    fs.fsyncSync = fsyncSync
    syncBuiltinESMExports()
  }
})

test('a full disk leaves no half of what keeps it out of git, and lets nothing else in', async ({ folder }) => {
  for (let call = 1; ; call++) {
    rmSync(folder, { recursive: true, force: true })
    const open = () => onDisk(() => openRunFolder(folder, 'kept'))
    const { value, refused } = await onFailingDisk({ code: 'ENOSPC', at: call, below: folder }, open)
    if (!refused) break
    const there = existsSync(folder) ? readdirSync(folder) : []
    assert.not.ok(!value.ok && there.some((name) => name !== '.gitignore'), there.join())
    if (there.includes('.gitignore')) assert.is(readFileSync(join(folder, '.gitignore'), 'utf8'), '*\n')
  }
})

test('writes nothing where it is kept out of git already', ({ folder }) => {
  const { ino } = statSync(join(folder, '.gitignore'))
  openRunFolder(folder)
  assert.is(statSync(join(folder, '.gitignore')).ino, ino)
})

test('takes a journal whose beginning was lost for no empty one', ({ folder }) => {
  const { journal } = newRun(folder, 'upgrade', new Date(Date.UTC(2026, 10, 20)))
  const run = '{"type":"run","v":1,"run":"r"'
  assert.equal(findUnfinishedRuns(folder), [], 'one that was begun no further')
  for (const torn of ['', '{', run]) {
    writeFileSync(journal, torn)
    assert.equal(findUnfinishedRuns(folder), [], torn)
  }
  const joined = `${run}} {"type":"intent","path":"a/install/install"}`
  const installing = '{"type":"installing","node":"a","bootId":"b"}\n'
  for (const lost of ['\0\0\0\0', 'x', '{"type":"outcome"', joined, `${run}\n`, '{}\n', 'null\n', installing]) {
    writeFileSync(journal, lost)
    assert.throws(() => recall(folder, 'ours'), /damaged in line 1/, lost)
    assert.throws(() => findUnfinishedRuns(folder), /damaged in line 1/, lost)
  }
})

test('keeps the last twenty runs', ({ folder }) => {
  const names = Array.from({ length: 25 }, (_, minute) => leave(folder, minute, [ended]))
  prune(folder, 'ours')
  assert.equal(runs(folder), names.slice(5))
})

test('keeps an older run from which a rollback is remembered, until the node was upgraded', ({ folder }) => {
  const rollback = leave(folder, 0, [verdict('a', 'rolled-back'), ended])
  const later = Array.from({ length: 25 }, (_, i) => leave(folder, i + 1, [ended]))
  prune(folder, 'ours')
  assert.equal(runs(folder), [rollback, ...later.slice(5)])
  assert.equal(recall(folder, 'ours').rolledBack, { a: image })

  leave(folder, 30, [verdict('a', 'upgraded', 'verify'), ended])
  prune(folder, 'ours')
  assert.equal(recall(folder, 'ours').rolledBack, {})
  assert.not.ok(runs(folder).includes(rollback))
  assert.is(runs(folder).length, 20)
})

test('keeps an older run that began an installation, until the node was upgraded', ({ folder }) => {
  const path = 'b/install/install'
  const begun = leave(folder, 0, [
    { type: 'intent', path, step: 'install', node: 'b', at, processFile: '', bootId: 'boot-1' },
    { type: 'outcome', path, at, tookMs: 1, ok: true, output: { image } },
    { type: 'end', at, how: 'abandoned' },
  ])
  for (let minute = 1; minute <= 25; minute++) leave(folder, minute, [ended])
  prune(folder, 'ours')
  assert.is(runs(folder)[0], begun)
  assert.equal(recall(folder, 'ours').installs, { b: ['boot-1'] })

  leave(folder, 30, [verdict('b', 'upgraded', 'verify'), ended])
  prune(folder, 'ours')
  assert.not.ok(runs(folder).includes(begun))
})

test('remembers nothing that happened to another cluster under the same name', ({ folder }) => {
  leave(folder, 0, [verdict('a', 'rolled-back'), ended], 'a lab that is gone')
  assert.equal(recall(folder, 'ours').rolledBack, {})
})

test('lets go of nothing that is not a run', ({ folder }) => {
  for (const name of ['snapshots', 'lab']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'lock.3'), '{}')
  for (let minute = 0; minute < 25; minute++) leave(folder, minute, [ended])
  prune(folder, 'ours')
  for (const name of ['.gitignore', 'lab', 'lock.3', 'snapshots']) assert.ok(readdirSync(folder).includes(name), name)
})

const unfinished = (folder: string) => findUnfinishedRuns(folder).map(({ paths }) => paths.run)

test('finds every run that has no end, whatever its name sorts like', ({ folder }) => {
  assert.equal(unfinished(folder), [])
  leave(folder, 10, [ended])
  assert.equal(unfinished(folder), [])
  // the clock was set back since: this one is younger than those around it
  const early = leave(folder, 1, [])
  const late = leave(folder, 20, [])
  // a run that was refused has a folder and no journal
  newRun(folder, 'upgrade', new Date(Date.UTC(2026, 10, 20, 2, 30)))
  assert.equal(unfinished(folder), [early, late])
})

test('keeps a run that has not ended, however old its name makes it', ({ folder }) => {
  const open = leave(folder, 0, [])
  for (let minute = 1; minute <= 25; minute++) leave(folder, minute, [ended])
  prune(folder, 'ours')
  assert.equal(unfinished(folder), [open])
})

test('that is not there holds no runs and remembers nothing, without being made', ({ folder }) => {
  const nowhere = join(folder, 'nowhere', '.run')
  assert.equal(recall(nowhere, 'ours').rolledBack, {})
  assert.equal(unfinished(nowhere), [])
  assert.not.ok(readdirSync(folder).includes('nowhere'))
})

test.run()
