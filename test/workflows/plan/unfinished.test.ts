import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Fate, type Finder, fatesOf, stateInWords, type Unfinished } from '../../../workflows/plan/unfinished.ts'

const HOUR_MS = 3_600_000
const finder: Finder = { verb: 'upgrade', product: '2', inputs: 'i', abandons: false }
const left = (more: Partial<Unfinished> = {}): Unfinished => ({
  ...{ run: 'r', verb: 'upgrade', product: '2', inputs: 'i', plan: { nodes: [] }, again: 'the command', leads: 'on' },
  leftForMs: 30 * HOUR_MS,
  ...more,
})
const wiping = {
  nodes: [
    { node: 'a', work: { kind: 'leave' } },
    { node: 'b', work: { kind: 'wipe' } },
  ],
}

const say = (fate: Fate): string =>
  fate.is === 'closed'
    ? fate.why
    : fate.is === 'in the way'
      ? `${fate.failure.reason}: ${fate.failure.detail}`
      : fate.is

const other = "this run is another one's: it is of upgrade, and not of reset"
const changed = 'the declaration or the flags changed since'
const refused = (why: string) =>
  `wipe-unfinished: r wipes disks and has not ended, and it is not carried on, because ${why}`

const table: [what: string, left: Partial<Unfinished>, finder: Partial<Finder>, fate: string][] = [
  ['the same', {}, {}, 'carried on'],
  ['the same, that wipes', { plan: wiping }, {}, 'carried on'],
  ['of other inputs', { inputs: 'j' }, {}, changed],
  ['of another version', { inputs: 'j', product: '1' }, {}, 'another version of this program began it'],
  [
    'of a version that told nothing',
    { inputs: 'j', product: undefined as never },
    {},
    'another version of this program began it',
  ],
  ['that leads nowhere', { leads: 'nowhere' }, {}, 'its journal can not be followed'],
  ['of another verb', { verb: 'reset', inputs: 'j' }, {}, other],
  [
    'of an upgrade that a reboot finds',
    { verb: 'upgrade', inputs: 'j' },
    { verb: 'reboot' },
    "this run is another one's: it is of reboot, and not of upgrade",
  ],
  [
    'of a reboot that an upgrade finds',
    { verb: 'reboot', inputs: 'j' },
    {},
    "this run is another one's: it is of upgrade, and not of reboot",
  ],
  [
    'of a verb and a plan that nobody knows',
    { verb: 'dance', inputs: 'j', plan: 7 },
    {},
    other.replace('reset', 'dance'),
  ],
  ['of other inputs, that wipes', { inputs: 'j', plan: wiping }, {}, refused(changed)],
  ['of another verb, that wipes', { verb: 'reset', inputs: 'j', plan: wiping }, {}, refused(other)],
  ['of a later form, that wipes', { verb: 'reset', inputs: 'j', plan: { ...wiping, v: 9 } }, {}, refused(other)],
  ['that asks for a state, whenever it was', { leftForMs: 9999 * HOUR_MS }, {}, 'carried on'],
  ['that asks for an act, within the time', {}, { carriedOnForMs: 30 * HOUR_MS }, 'carried on'],
  [
    'that asks for an act, and was left too long ago',
    {},
    { carriedOnForMs: 24 * HOUR_MS },
    'it was left 30 hours ago, and what this command asks for now is done anew',
  ],
  [
    'that asks for an act, by a clock that was set back',
    { leftForMs: -200 * HOUR_MS },
    { carriedOnForMs: HOUR_MS },
    'carried on',
  ],
  ['that asks for an act, and tells no time', { leftForMs: Number.NaN }, { carriedOnForMs: HOUR_MS }, 'carried on'],
  ['abandoned', {}, { abandons: true }, '--abandon says so'],
  [
    'abandoned by another verb, though it wipes',
    { verb: 'reset', inputs: 'j', plan: wiping },
    { abandons: true },
    '--abandon says so',
  ],
  ...[undefined, null, 'x', [], {}, { nodes: 'x' }, { nodes: [null, 1, {}, { work: null }, { work: 'none' }] }].map(
    (plan): [string, Partial<Unfinished>, Partial<Finder>, string] => [
      `whose plan is ${JSON.stringify(plan)}`,
      { plan, inputs: 'j' },
      {},
      changed,
    ],
  ),
]

for (const [what, more, by, fate] of table)
  test(`a run ${what}`, () => {
    assert.equal(fatesOf([left(more)], { ...finder, ...by }).map(say), [fate])
  })

test('of several that could be carried on, the last one is', () => {
  assert.equal(fatesOf([left(), left({ inputs: 'j' }), left(), left({ leads: 'nowhere' })], finder).map(say), [
    'a later run took its place',
    changed,
    'carried on',
    'its journal can not be followed',
  ])
})

test('what is in the way tells both ways out', () => {
  const [fate] = fatesOf([left({ inputs: 'j', plan: wiping })], finder)
  assert.is(
    fate?.is === 'in the way' && fate.failure.hint,
    'the command # finishes it; with --abandon it is closed as it stands',
  )
})

test('how it stood is told by what was begun and not seen to end, each once', () => {
  assert.is(stateInWords([]), 'nothing was under way')
  assert.is(
    stateInWords([{ node: 'a', step: 'drain' }, { step: 'snapshot-etcd' }, { node: 'a', step: 'drain' }]),
    'begun and not seen to end: a drain, snapshot-etcd',
  )
})

test.run()
