import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import type { Observation } from '../../../workflows/model/observation.ts'
import type { Begun } from '../../../workflows/plan/judge.ts'
import { type KnownAtEnd, untouchedEnding } from '../../../workflows/plan/untouched.ts'
import { nodePlan, upgradePlan } from '../../support/upgrade-plan.ts'

const plan = upgradePlan([nodePlan('a', 'controlplane'), nodePlan('b', 'worker')])
const waits = upgradePlan([nodePlan('a', 'controlplane', { work: 'reboot: it waits' }), nodePlan('b', 'worker')])
const behind = (begun: Begun, of: typeof plan | undefined = plan) => ({
  left: [{ begun: { a: begun }, ...(of && { plan: of }) }],
})
const facts = {
  reachable: true,
  version: 'v1.13.5',
  schematic: 's',
  stage: 'running',
  ready: true,
  unmet: [],
  extensions: [],
}
const seen = (a: object): Observation =>
  ({
    nodes: { a: { ...facts, bootId: 'a-before', otherSlot: { state: 'quiet' }, ...a }, b: facts },
  }) as unknown as Observation
const silent = { reachable: false, failure: failure('node-unreachable') }

const installed = { install: 'done', flipped: false } as const
const rebooting = { install: 'done', flipped: true } as const

const table: [
  what: string,
  exitCode: 0 | 75 | 77,
  known: KnownAtEnd,
  verdicts: Record<string, string>,
  code: number,
][] = [
  ['a lock that is held: nobody was looked at', 75, { left: [] }, {}, 75],
  ['a rule says no before anybody was looked at', 77, { left: [] }, { a: 'refused', b: 'refused' }, 77],
  ['all were looked at', 75, { left: [], observed: seen({}) }, { a: 'unchanged', b: 'unchanged' }, 75],
  ['all were looked at and refused', 77, { left: [], observed: seen({}) }, { a: 'refused', b: 'refused' }, 77],
  [
    'not approved, and one waits',
    75,
    { left: [], plan: waits, observed: seen({}) },
    { a: 'installed-not-rebooted', b: 'unchanged' },
    75,
  ],
  ['one was installed, nobody was looked at', 75, behind(installed), { a: 'installed-not-rebooted' }, 1],
  ['one was taken down, nobody was looked at', 75, behind(rebooting), { a: 'interrupted' }, 1],
  [
    'one was taken down and is silent',
    77,
    { ...behind(rebooting), observed: seen(silent) },
    { a: 'interrupted', b: 'refused' },
    77,
  ],
  [
    'one was taken down and is upgraded',
    77,
    { ...behind(rebooting), observed: seen({ version: 'v1.13.9', bootId: 'new' }) },
    { a: 'upgraded', b: 'refused' },
    77,
  ],
  [
    'a plan that can not be read, installed',
    0,
    behind(installed, undefined as never),
    { a: 'installed-not-rebooted' },
    0,
  ],
]

for (const [what, exitCode, known, verdicts, code] of table)
  test(what, () => {
    const end = untouchedEnding(['a', 'b'], { exitCode, failures: [] }, known)
    assert.equal(Object.fromEntries(end.verdicts.map(({ node, verdict }) => [node, verdict])), verdicts)
    assert.is(end.exitCode, code)
    const rule = exitCode === 77 ? 'refused' : 'unchanged'
    assert.equal(
      end.told,
      end.verdicts.filter(({ verdict }) => verdict !== rule),
    )
  })

test('a plan that can not be read still keeps what was begun from being called unchanged', () => {
  const known: KnownAtEnd = { left: [{ begun: { a: rebooting } }], observed: seen({}) }
  assert.equal(untouchedEnding(['a'], { exitCode: 75, failures: [] }, known).verdicts, [
    { node: 'a', verdict: 'interrupted', evidence: {} },
  ])
})

test.run()
