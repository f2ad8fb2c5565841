import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OtherSlot } from '../../../workflows/model/observation.ts'
import { VANILLA_SCHEMATIC } from '../../../workflows/plan/installer-image.ts'
import type { Work } from '../../../workflows/plan/plan.ts'
import { bootObjection, runsTarget, slotObjection } from '../../../workflows/plan/slot.ts'

const image = 'x:v1.13.9'
const other = 'x:v1.13.8'
const fails = (exitCode?: number, which = image): OtherSlot => ({
  state: 'install-failed',
  image: which,
  ...(exitCode === undefined ? {} : { exitCode }),
})
const unknown = (why: 'unread' | 'wrapped' | 'wording'): OtherSlot => ({ state: 'unknown', why })

/** What the log says, whether we began anything since the boot, and what follows; `may` is the one way to an installation. */
const rows: readonly [slot: OtherSlot, begun: boolean, expected: string, hint?: RegExp][] = [
  [{ state: 'quiet' }, false, 'may'],
  // our installation was begun, and never came to the node
  [{ state: 'quiet' }, true, 'may'],
  [{ state: 'installing', image }, false, 'install-unknown', /run again/],
  [{ state: 'installing', image }, true, 'install-unknown'],
  [{ state: 'installed', image: other }, false, 'other-version-waiting', /-n a reboot/],
  [{ state: 'installed', image: other }, true, 'other-version-waiting'],
  [{ state: 'cut-off', image }, false, 'install-unknown', /-n a reboot/],
  [{ state: 'cut-off', image }, true, 'install-unknown', /-n a reboot/],
  [fails(), true, 'may'],
  [fails(1), true, 'may'],
  [fails(2), false, 'installer-refused-before', /--retry/],
  [fails(3), true, 'installer-refused-before'],
  [fails(2, other), true, 'may'],
  [fails(4), true, 'may'],
  [fails(5), true, 'may'],
  [fails(6), true, 'may'],
  [fails(7), true, 'may'],
  [unknown('unread'), false, 'install-unknown', /logs machined/],
  [unknown('unread'), true, 'install-unknown', /-n a reboot/],
  [unknown('wrapped'), false, 'may'],
  [unknown('wrapped'), true, 'install-unknown', /-n a reboot/],
  [unknown('wording'), false, 'install-unknown'],
  [unknown('wording'), true, 'install-unknown'],
]

for (const [otherSlot, begun, expected, hint] of rows) {
  const code = otherSlot.state === 'install-failed' ? ` ${otherSlot.exitCode}` : ''
  const what = `${otherSlot.state}${code}${otherSlot.state === 'unknown' ? ` (${otherSlot.why})` : ''}`
  test(`${what}, ${begun ? 'begun by us' : 'not by us'}: ${expected}`, () => {
    const objection = slotObjection({ node: 'a', facts: { bootId: 'b', otherSlot }, image, begun, retry: false })
    assert.is(objection?.reason ?? 'may', expected)
    if (hint) assert.match(objection?.hint ?? '', hint)
  })
}

const installed = { kind: 'switch', image, schematic: 's', to: 'v1.13.9', how: 'write, then reboot' } as const
const restart = { kind: 'restart', mode: 'default' } as const

/** What is meant, what the log says, and why that is not booted. */
const boots: readonly [work: Work, slot: OtherSlot, expected: string, hint?: RegExp | undefined, begun?: true][] = [
  [installed, { state: 'installed', image }, 'may'],
  [installed, { state: 'installed', image: other }, 'other-version-waiting', /^talosctl -n a reboot/],
  [installed, { state: 'quiet' }, 'may'],
  [installed, unknown('wrapped'), 'may'],
  [installed, { state: 'installing', image }, 'install-unknown', /run again/],
  [installed, { state: 'cut-off', image }, 'install-unknown'],
  [installed, fails(1), 'install-unknown'],
  [restart, { state: 'installed', image }, 'other-version-waiting', /^workflows\/upgrade\.ts # boots it/],
  // an upgrade would boot another one, and refuse this
  [restart, { state: 'installed', image: other }, 'other-version-waiting', /^talosctl -n a reboot # boots it/],
  [restart, { state: 'quiet' }, 'may'],
  [restart, unknown('unread'), 'may'],
  [restart, unknown('wrapped'), 'may'],
  [restart, unknown('wording'), 'may'],
  // what we began may wait there
  [restart, unknown('unread'), 'install-unknown', /^talosctl -n a reboot #/, true],
  [restart, unknown('wrapped'), 'install-unknown', /^talosctl -n a reboot #/, true],
  [restart, unknown('wording'), 'install-unknown', /^talosctl -n a reboot #/, true],
  // the run has seen the end of what it boots
  [installed, unknown('wrapped'), 'may', undefined, true],
  // it never came to the node
  [restart, { state: 'quiet' }, 'may', undefined, true],
  [restart, { state: 'installing', image }, 'install-unknown', /run again/],
  [restart, { state: 'cut-off', image }, 'may'],
  [restart, { state: 'cut-off', image, over: other }, 'install-unknown', /^talosctl -n a reboot #/],
  [restart, fails(1), 'may'],
]

for (const [work, otherSlot, expected, hint, begun = false] of boots) {
  const what = `${otherSlot.state}${otherSlot.state === 'unknown' ? ` (${otherSlot.why})` : ''}`
  test(`a node that is to ${work.kind}, ${what}${otherSlot.state === 'installed' ? ` ${otherSlot.image}` : ''}${begun ? ', begun by us' : ''}: ${expected}`, () => {
    const objection = bootObjection({ node: 'a', work }, { otherSlot }, { begun, upgradesTo: image })
    assert.is(objection?.reason ?? 'may', expected)
    if (hint) assert.match(objection?.hint ?? '', hint)
  })
}

test('what the installer refused for good is tried again only when a person asks', () => {
  const facts = { bootId: 'b', otherSlot: fails(2) }
  assert.is(slotObjection({ node: 'a', facts, image, begun: true, retry: true }), undefined)
})

test('an image without a schematic runs where the vanilla one is meant, and no other', () => {
  assert.ok(runsTarget({ to: 'v1.13.9', schematic: VANILLA_SCHEMATIC }, { version: 'v1.13.9' }))
  assert.not.ok(runsTarget({ to: 'v1.13.9', schematic: 's' }, { version: 'v1.13.9' }))
  assert.not.ok(runsTarget({ to: 'v1.13.9', schematic: 's' }, { version: 'v1.13.5', schematic: 's' }))
  assert.ok(runsTarget({ to: 'v1.13.9', schematic: 's' }, { version: 'v1.13.9', schematic: 's' }))
})

test.run()
