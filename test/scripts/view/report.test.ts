import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Starts } from '../../../scripts/engine/starts.ts'
import { collectReport, writeReport } from '../../../scripts/view/report.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { aRun } from './a-run.ts'

const test = suite<{ dir: string }>('report')

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'report-'))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true }))

/** A clock that goes on by one second with every look at it. */
const clock = () => {
  let seconds = 0
  return () => new Date(Date.UTC(2026, 10, 21, 12, 0, seconds++))
}

const collected = () => {
  const report = collectReport(clock())
  for (const event of aRun) report.handle(event)
  return report
}

const ran = (changes: string[][], starts: Starts = {}) => ({ changes, starts })

test('tells the whole run, the end first', () => {
  const report = collected().value()
  assert.equal(Object.keys(report).slice(0, 4), ['v', 'run', 'command', 'cluster'])
  assert.is(report.startedAt, '2026-11-21T12:00:00.000Z')
  assert.is(report.exitCode, 1)
  assert.is(report.next, 'node --import tsx workflows/upgrade.ts --cluster 7')
  assert.equal(
    report.steps.map(({ node, step, tookMs, outcome }) => [node, step, tookMs, outcome]),
    [
      [undefined, 'snapshot-etcd', 800, 'finished'],
      ['cp-1', 'pull-image', 6_000, 'finished'],
      ['cp-2', 'pull-image', 7_000, 'finished'],
      ['cp-1', 'reboot', 61_000, 'finished'],
      ['cp-2', 'reboot', 900_000, 'failed'],
    ],
  )
  assert.equal(report.phases, {
    'cluster-7': { 'snapshot-etcd': 800 },
    'cp-1': { 'pull-image': 6_000, reboot: 61_000 },
    'cp-2': { 'pull-image': 7_000, reboot: 900_000 },
  })
  assert.is(report.verdicts['cp-1']?.verdict, 'upgraded')
  assert.is(report.verdicts['cp-2']?.failure?.reason, 'never-returned')
  assert.equal(
    report.notices.map(({ text }) => text),
    ['took over the lock of a dead run'],
  )
})

test('leaves a step open that the run did not see the end of', () => {
  const report = collectReport(clock())
  report.handle({ type: 'step.started', node: 'cp-1', step: 'reboot', title: 'Reboot', disruptive: true })
  assert.is(report.value().steps[0]?.outcome, 'open')
})

test('adds up a step that a node did twice', () => {
  const report = collectReport(clock())
  for (const tookMs of [1_000, 2_000]) {
    report.handle({ type: 'step.started', node: 'cp-1', step: 'verify', title: 'Verify', disruptive: false })
    report.handle({ type: 'step.finished', node: 'cp-1', step: 'verify', title: 'Verify', tookMs })
  }
  assert.equal(report.value().phases, { 'cp-1': { verify: 3_000 } })
})

test('is written for its owner alone, and leaves no draft behind', ({ dir }) => {
  mkdirSync(join(dir, 'run'))
  const path = join(dir, 'run', 'report.json')
  writeReport(path, collected().value(), ran([['talosctl', 'reboot']], { 'cp-1': { reboot: { talosctl: 3 } } }))
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.equal(readdirSync(join(dir, 'run')), ['report.json'])
  const read = JSON.parse(readFileSync(path, 'utf8'))
  assert.is(read.v, 1)
  assert.equal(read.commands, [['talosctl', 'reboot']])
  assert.equal(read.starts, { 'cp-1': { reboot: { talosctl: 3 } } })
})

test('replaces an older report and leaves it alone when it can not', ({ dir }) => {
  const path = join(dir, 'report.json')
  writeFileSync(path, 'old')
  writeReport(path, collected().value(), ran([]))
  assert.is(JSON.parse(readFileSync(path, 'utf8')).exitCode, 1)
  assert.throws(() => writeReport(join(path, 'below-a-file.json'), collected().value(), ran([])))
  assert.is(JSON.parse(readFileSync(path, 'utf8')).exitCode, 1)
})

test('keeps secrets out, wherever an event or a command carries one', ({ dir }) => {
  const report = collected()
  const secret = 'token: canary.0123456789abcdef'
  report.handle({ type: 'notice', text: secret })
  report.handle({
    type: 'verdict',
    node: 'cp-3',
    verdict: 'refused',
    evidence: { stage: secret },
    failure: failure('bug', { detail: secret, hint: `talosctl --token=canary` }),
  })
  const path = join(dir, 'report.json')
  writeReport(path, report.value(), ran([['talosctl', '--token=canary']]))
  assert.not.match(readFileSync(path, 'utf8'), /canary/)
})

test.run()
