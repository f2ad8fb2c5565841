import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recollect, wasBegun } from '../../../workflows/plan/memory.ts'

const image = 'x:v1.13.9'
/** What a plan says of a node: now, and before plans had a version. */
const FORMS: Record<string, { node(node: string): object; turn: string }> = {
  now: { node: (node) => ({ node, before: { version: 'v1.13.5' }, work: { kind: 'switch', image } }), turn: 'turn' },
  before: { node: (node) => ({ node, image, from: 'v1.13.5' }), turn: 'flip' },
}
let form = FORMS.now as (typeof FORMS)[string]
const run = (more: object = {}) => ({
  ...{ type: 'run', v: 1, identity: 'ours', plan: { nodes: ['a', 'b'].map(form.node) } },
  ...more,
})
const intent = (node: string, step: string, bootId: string) => ({
  type: 'intent',
  path: `${node}/install/${step}`,
  step,
  node,
  bootId,
})
const outcome = (path: string, more: object) => ({ type: 'outcome', path, ok: true, ...more })
const of = (...records: unknown[]) => recollect([{ run: 'r1', records }], 'ours')

/** A test of journals whose plans have the form of now, and of those before. */
const inBoth = (title: string, body: () => void) => {
  for (const [when, of] of Object.entries(FORMS))
    test(`${title}, in journals of ${when}`, () => {
      form = of
      body()
    })
}

for (const step of ['install', 'upgrade'])
  inBoth(`remembers the boot of an ${step} that ended well, failed, or was not seen to end`, () => {
    const begun = intent('a', step, 'boot-1')
    for (const end of [[], [outcome(begun.path, {})], [outcome(begun.path, { ok: false, failure: { reason: 'x' } })]]) {
      const memory = of(run(), begun, ...end)
      assert.ok(wasBegun(memory, 'boot-1'))
      assert.not.ok(wasBegun(memory, 'boot-2'))
      assert.equal([...memory.sources], ['r1'])
    }
  })

test('knows the runs that asked no node to go down', () => {
  const rows: [step: string, is: boolean][] = [
    ['pull-image', true],
    ['install', true],
    ['drain', true],
    ['reboot', false],
    ['upgrade', false],
    ['a step that is not known', false],
  ]
  for (const [step, is] of rows) assert.is(of(run(), intent('a', step, 'boot-1')).tookNoneDown.has('r1'), is, step)
})

inBoth('remembers the boot that an installation really began under', () => {
  const memory = of(run(), intent('a', 'install', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image })
  assert.ok(wasBegun(memory, 'real') && wasBegun(memory, 'planned'))
})

inBoth('remembers no boot of an installation that asked nothing in the end, unless it was begun before', () => {
  const begun = [intent('a', 'install', 'boot-1'), { type: 'installing', node: 'a', bootId: 'boot-1', image }]
  const others = { type: 'installing', node: 'b', bootId: 'boot-2', image }
  const path = 'a/install/install'
  const ends = [
    { type: 'unasked', path, node: 'a' },
    outcome(path, { ok: false, failure: { reason: 'x', unasked: true } }),
    outcome(path, { output: { stillUp: true, unasked: true } }),
  ]
  for (const end of ends) {
    const { installs, requests } = of(run(), ...begun, others, end)
    assert.equal([installs, requests], [{ b: ['boot-2'] }, { b: ['boot-2'] }])
    assert.equal(of(run(), ...begun, ...begun, end).installs, { a: ['boot-1'] })
  }
})

inBoth('remembers what was written last and where, until the node was upgraded', () => {
  const begun = [intent('a', 'install', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image }]
  const ended = outcome('a/install/install', { output: { image } })
  assert.equal(of(run(), ...begun, ended).written, { a: { image, bootId: 'real', from: 'v1.13.5' } })
  assert.equal(of(run(), ...begun).written, {})
  assert.equal(of(run(), ...begun, { ...ended, ok: false, failure: { reason: 'x' } }).written, {})
  assert.equal(
    of(run(), ...begun, ended, outcome(`a/${form.turn}/verify`, { output: { verdict: 'upgraded' } })).written,
    {},
  )
})

inBoth('remembers one call that installs and boots, but for one that asked nothing', () => {
  const begun = intent('a', 'upgrade', 'planned')
  assert.equal(of(run(), begun, outcome(`a/${form.turn}/upgrade`, { output: { flippedEarly: false } })).written, {
    a: { image, bootId: 'planned', from: 'v1.13.5' },
  })
  assert.equal(of(run(), begun, outcome(`a/${form.turn}/upgrade`, { output: { stillUp: true } })).written, {})
})

inBoth('remembers a node that the last look of a run found fallen back', () => {
  const found = outcome('look-back', { output: [{ node: 'a', verdict: 'rolled-back' }, { node: 'b' }] })
  const memory = of(run(), outcome(`a/${form.turn}/verify`, { output: { verdict: 'upgraded' } }), found)
  assert.equal([memory.rolledBack, [...memory.sources]], [{ a: image }, ['r1']])
})

test('remembers the same of a node that the plan left alone, since it ran the target', () => {
  const left = { node: 'a', before: { version: 'v1.13.9' }, work: { kind: 'leave', image } }
  const found = outcome('look-back', { output: [{ node: 'a', verdict: 'rolled-back' }] })
  const memory = of(run({ plan: { v: 2, nodes: [left] } }), found)
  assert.equal([memory.rolledBack, [...memory.sources]], [{ a: image }, ['r1']])
})

inBoth('tells the calls that were about to be made from those that were only intended', () => {
  const memory = of(run(), intent('a', 'upgrade', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image })
  assert.equal([memory.installs, memory.requests], [{ a: ['planned', 'real'] }, { a: ['real'] }])
})

inBoth('remembers no boot of a step that does not write a slot', () => {
  assert.equal(of(run(), intent('a', 'pull-image', 'boot-1'), intent('a', 'reboot', 'boot-1')).installs, {})
})

inBoth('remembers what the installer refused for good, until the node was upgraded', () => {
  const refused = outcome('a/install/install', { ok: false, failure: { reason: 'installer-refused', detail: 'why' } })
  assert.equal(of(run(), refused).refusedImages, { a: { image, why: 'why' } })
  assert.equal(
    of(run(), outcome('a/install/install', { ok: false, failure: { reason: 'install-failed' } })).refusedImages,
    {},
  )
  const upgraded = outcome(`a/${form.turn}/verify`, { output: { verdict: 'upgraded' } })
  const after = of(run(), intent('a', 'install', 'boot-1'), refused, upgraded)
  assert.equal([after.refusedImages, after.installs, after.sources.size], [{}, {}, 0])
})

inBoth('reads journals of other verbs, of the first version, and records that are none', () => {
  const begun = intent('a', 'install', 'boot-1')
  // the first journals had neither identity nor `again`
  assert.ok(wasBegun(of(run({ identity: undefined }), begun), 'boot-1'))
  assert.ok(wasBegun(of(run({ plan: undefined }), begun), 'boot-1'))
  const odd = [null, 7, 'text', [], {}, { type: 'outcome' }, outcome('a/x', { output: null }), { type: 'intent' }]
  for (const other of [undefined, null, [], { nodes: 'a' }, { verb: 'reset', nodes: [null, 7] }])
    assert.ok(wasBegun(of(run({ plan: other }), ...odd, begun), 'boot-1'))
  assert.equal(
    recollect(
      [
        { run: 'r', records: [] },
        { run: 's', records: odd },
      ],
      'ours',
    ).installs,
    {},
  )
})

inBoth('remembers nothing of another cluster', () => {
  assert.equal(of(run({ identity: 'theirs' }), intent('a', 'install', 'boot-1')).installs, {})
})

test('remembers what a journal tells that was written before plans had a version', () => {
  const file = new URL('../../fixtures/journals/before-plans-had-a-version.ndjson', import.meta.url)
  const records = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  const { identity } = records[0] as { identity: string }
  const { written, installs, requests, configurations } = recollect([{ run: 'r', records }], identity)
  const installed = (node: string) => ({
    image: 'factory.talos.dev/metal-installer/s:v1.13.9',
    bootId: `${node}-boot-0`,
    from: 'v1.13.5',
  })
  // b was upgraded meanwhile
  assert.equal(written, { a: installed('a'), c: installed('c') })
  for (const boots of [installs, requests]) assert.equal(boots, { a: ['a-boot-0'], c: ['c-boot-0'] })
  assert.is(configurations['a-boot-0'], 'h')
})

test.run()
