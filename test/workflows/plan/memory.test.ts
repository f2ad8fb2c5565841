import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { recollect, wasBegun } from '../../../workflows/plan/memory.ts'

const image = 'x:v1.13.9'
const plan = {
  nodes: [
    { node: 'a', image, from: 'v1.13.5' },
    { node: 'b', image, from: 'v1.13.5' },
  ],
}
const run = (more: object = {}) => ({ type: 'run', v: 1, identity: 'ours', plan, ...more })
const intent = (node: string, step: string, bootId: string) => ({
  type: 'intent',
  path: `${node}/install/${step}`,
  step,
  node,
  bootId,
})
const outcome = (path: string, more: object) => ({ type: 'outcome', path, ok: true, ...more })
const of = (...records: unknown[]) => recollect([{ run: 'r1', records }], 'ours')

for (const step of ['install', 'upgrade'])
  test(`remembers the boot of an ${step} that ended well, failed, or was not seen to end`, () => {
    const begun = intent('a', step, 'boot-1')
    for (const end of [[], [outcome(begun.path, {})], [outcome(begun.path, { ok: false, failure: { reason: 'x' } })]]) {
      const memory = of(run(), begun, ...end)
      assert.ok(wasBegun(memory, 'boot-1'))
      assert.not.ok(wasBegun(memory, 'boot-2'))
      assert.equal([...memory.sources], ['r1'])
    }
  })

test('remembers the boot that an installation really began under', () => {
  const memory = of(run(), intent('a', 'install', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image })
  assert.ok(wasBegun(memory, 'real') && wasBegun(memory, 'planned'))
})

test('remembers what was written last and where, until the node was upgraded', () => {
  const begun = [intent('a', 'install', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image }]
  const ended = outcome('a/install/install', { output: { image } })
  assert.equal(of(run(), ...begun, ended).written, { a: { image, bootId: 'real', from: 'v1.13.5' } })
  assert.equal(of(run(), ...begun).written, {})
  assert.equal(of(run(), ...begun, { ...ended, ok: false, failure: { reason: 'x' } }).written, {})
  assert.equal(of(run(), ...begun, ended, outcome('a/flip/verify', { output: { verdict: 'upgraded' } })).written, {})
})

test('remembers one call that installs and boots, but for one that asked nothing', () => {
  const begun = intent('a', 'upgrade', 'planned')
  assert.equal(of(run(), begun, outcome('a/flip/upgrade', { output: { flippedEarly: false } })).written, {
    a: { image, bootId: 'planned', from: 'v1.13.5' },
  })
  assert.equal(of(run(), begun, outcome('a/flip/upgrade', { output: { stillUp: true } })).written, {})
})

test('remembers a node that the last look of a run found fallen back', () => {
  const found = outcome('look-back', { output: [{ node: 'a', verdict: 'rolled-back' }, { node: 'b' }] })
  const memory = of(run(), outcome('a/flip/verify', { output: { verdict: 'upgraded' } }), found)
  assert.equal([memory.rolledBack, [...memory.sources]], [{ a: image }, ['r1']])
})

test('tells the calls that were about to be made from those that were only intended', () => {
  const memory = of(run(), intent('a', 'upgrade', 'planned'), { type: 'installing', node: 'a', bootId: 'real', image })
  assert.equal([memory.installs, memory.requests], [{ a: ['planned', 'real'] }, { a: ['real'] }])
})

test('remembers no boot of a step that does not write a slot', () => {
  assert.equal(of(run(), intent('a', 'pull-image', 'boot-1'), intent('a', 'reboot', 'boot-1')).installs, {})
})

test('remembers what the installer refused for good, until the node was upgraded', () => {
  const refused = outcome('a/install/install', { ok: false, failure: { reason: 'installer-refused', detail: 'why' } })
  assert.equal(of(run(), refused).refusedImages, { a: { image, why: 'why' } })
  assert.equal(
    of(run(), outcome('a/install/install', { ok: false, failure: { reason: 'install-failed' } })).refusedImages,
    {},
  )
  const upgraded = outcome('a/flip/verify', { output: { verdict: 'upgraded' } })
  const after = of(run(), intent('a', 'install', 'boot-1'), refused, upgraded)
  assert.equal([after.refusedImages, after.installs, after.sources.size], [{}, {}, 0])
})

test('reads journals of other verbs, of the first version, and records that are none', () => {
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

test('remembers nothing of another cluster', () => {
  assert.equal(of(run({ identity: 'theirs' }), intent('a', 'install', 'boot-1')).installs, {})
})

test.run()
