import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AGAIN } from '../../../workflows/model/again.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { NodeVerdict, Verdict } from '../../../workflows/model/verdict.ts'
import { endingOf, type Way } from '../../../workflows/plan/ending.ts'
import { hasChanged } from '../../../workflows/plan/has-changed.ts'
import type { Begun } from '../../../workflows/plan/judge.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

const done: Way = { ended: 'done' }
const stopped: Way = { ended: 'stopped', exitCode: 130 }
const lost: Way = { ended: 'broken', failure: failure('lock-lost') }
const no: Begun = { install: 'no', flipped: false }
const installing: Begun = { install: 'begun', flipped: false }
const rebooting: Begun = { install: 'done', flipped: true }

type Row = [
  what: string,
  way: Way,
  verdict: Verdict,
  begun: Begun | undefined,
  reasons: string[],
  ends: [Verdict, number, string?],
]
const table: Row[] = [
  ['done, and well', done, 'upgraded', rebooting, [], ['upgraded', 0]],
  ['done, nothing to do', done, 'unchanged', undefined, [], ['unchanged', 0]],
  ['done, with a pull that failed', done, 'unchanged', undefined, ['image-pull-failed'], ['unchanged', 75, 'again']],
  [
    'done, with a pull that failed beside a change',
    done,
    'upgraded',
    rebooting,
    ['image-pull-failed'],
    ['upgraded', 1, 'again'],
  ],
  ['done, refused', done, 'refused', undefined, ['etcd-alarm'], ['refused', 77, 'again']],
  ['stopped before anything', stopped, 'unchanged', undefined, [], ['unchanged', 130, 'again']],
  ['stopped in an installation', stopped, 'unchanged', installing, [], ['installed-not-rebooted', 130, 'again']],
  ['stopped in a reboot', stopped, 'unchanged', rebooting, [], ['interrupted', 130, 'again']],
  ['lock lost before anything', lost, 'unchanged', no, [], ['unchanged', 75, 'again']],
  ['lock lost in an installation', lost, 'unchanged', installing, [], ['installed-not-rebooted', 1, 'again']],
]

for (const [what, way, verdict, begun, reasons, [ends, exitCode, next]] of table)
  test(what, () => {
    const stood: NodeVerdict[] = [{ node: 'a', verdict, evidence: {} }]
    const failures = reasons.map((reason) => failure(reason as 'bug'))
    const plans = [nodePlan('a', 'worker')]
    const end = endingOf({ way, stood, failures, plans, begun: begun ? { a: begun } : {}, again: 'again' })
    assert.equal([end.verdicts[0]?.verdict, end.exitCode, end.next], [ends, exitCode, next])
    assert.is(end.failures.length, reasons.length + (way === lost ? 1 : 0))
  })

test('the hint of a node comes before that of the run, and only where it is over', () => {
  const stood: NodeVerdict[] = [
    { node: 'a', verdict: 'stuck', evidence: {}, failure: failure('never-ready', { hint: 'talosctl -n a services' }) },
  ]
  const given = {
    stood,
    failures: [failure('bug', { hint: 'kubectl get nodes' })],
    plans: [],
    begun: {},
    again: 'again',
  }
  assert.is(endingOf({ way: done, ...given }).next, 'talosctl -n a services')
  assert.is(endingOf({ way: done, ...given, stood: [] }).next, 'kubectl get nodes')
  assert.is(endingOf({ way: stopped, ...given }).next, 'again')
})

test('what comes next can be typed: words stand beside their failure alone', () => {
  const words = ['run again with --skip-drain', 'keep it, or take Talos to 1.13: --to v1.13.10', 'talosctls']
  const failures = [...words, 'kubectl uncordon a', 'git status'].map((hint) => failure('bug', { hint }))
  const given = { way: done, stood: [], plans: [], begun: {}, again: 'again' }
  assert.is(endingOf({ ...given, failures }).next, 'kubectl uncordon a')
  assert.is(endingOf({ ...given, failures: failures.slice(0, 3) }).next, 'again')
  const more = failure('bug', { hint: `${AGAIN} --retry # then` })
  assert.is(endingOf({ ...given, failures: [more] }).next, `${AGAIN} --retry # then`)
})

test('what was begun has changed something, whatever became of it; so has a machine that booted', () => {
  const found = (verdict: Verdict): NodeVerdict[] => [{ node: 'a', verdict, evidence: {} }]
  assert.not.ok(hasChanged(found('unchanged'), { a: no }))
  assert.ok(hasChanged([], { a: installing }))
  assert.ok(hasChanged([], { a: { install: 'no', flipped: true } }))
  for (const verdict of ['unchanged', 'refused', 'interrupted', 'installed-not-rebooted'] as const)
    assert.not.ok(hasChanged(found(verdict), {}), verdict)
  for (const verdict of ['upgraded', 'rebooted', 'rolled-back', 'stuck', 'unreachable'] as const)
    assert.ok(hasChanged(found(verdict), {}), verdict)
})

test.run()
