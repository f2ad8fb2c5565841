import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import type { Inspection, OtherSlot } from '../../../workflows/model/observation.ts'
import {
  changedSinceLook,
  holdsTarget,
  installObjection,
  isRead,
  unseen,
  waiting,
  whyNotInstalled,
} from '../../../workflows/plan/installation.ts'

const image = 'factory.talos.dev/metal-installer/s:v1.13.9'
const target = { image, to: 'v1.13.9', schematic: 's' }
const quiet: OtherSlot = { state: 'quiet' }
const installed: OtherSlot = { state: 'installed', image, at: '2026-11-21T12:03:00' }
const other: OtherSlot = { state: 'installed', image: 'x:v1.13.7' }
const failed = (exitCode: number): OtherSlot => ({ state: 'install-failed', image, exitCode })
const unknown = (why: 'unread' | 'wrapped' | 'wording'): OtherSlot => ({ state: 'unknown', why })
const seen = (otherSlot: OtherSlot, more: Partial<Inspection> = {}): Inspection => ({
  ...{ version: 'v1.13.5', bootId: 'boot', stage: 'running', ready: true, unmet: [], schematic: 's', extensions: [] },
  otherSlot,
  ...more,
})

test('the target is held where it runs, or waits', () => {
  const rows = [
    seen(quiet),
    seen(installed),
    seen(other),
    seen(quiet, { version: 'v1.13.9' }),
    seen(quiet, { version: 'v1.13.9', schematic: 'another' }),
  ]
  assert.equal(
    rows.map((now) => holdsTarget(target, now)),
    [false, true, false, true, false],
  )
  assert.equal(waiting(target, seen(installed)), { image, since: '2026-11-21T12:03:00' })
  assert.equal(waiting(target, seen(quiet)), { image })
})

test('a log that was not read tells nothing, any other one does', () => {
  const rows = [quiet, installed, unknown('unread'), unknown('wrapped'), unknown('wording')]
  assert.equal(
    rows.map((slot) => isRead(seen(slot))),
    [true, true, false, true, true],
  )
})

const first = { begunBefore: false, begun: false }
const objections: [sentence: string, slot: OtherSlot, known: typeof first, reason: string | undefined][] = [
  ['a quiet slot', quiet, first, undefined],
  [
    'a quiet slot, once more: the log says that nothing was begun',
    quiet,
    { begunBefore: true, begun: false },
    undefined,
  ],
  ['a log that lost its beginning, where nobody began', unknown('wrapped'), first, undefined],
  [
    'a log that lost its beginning, where this run may have',
    unknown('wrapped'),
    { begunBefore: true, begun: false },
    'install-unknown',
  ],
  [
    'a log that lost its beginning, where another one of ours did',
    unknown('wrapped'),
    { begunBefore: false, begun: true },
    'install-unknown',
  ],
  ['an image that waits', other, first, 'other-version-waiting'],
  ['an installer that failed', failed(6), { begunBefore: true, begun: false }, undefined],
  ['an installer that refused in an earlier run, since the plan lets it try', failed(3), first, undefined],
  ['an installer that refused in this run', failed(3), { begunBefore: true, begun: false }, 'installer-refused'],
]
for (const [sentence, slot, known, reason] of objections)
  test(`${reason === undefined ? 'installs over' : 'does not install over'} ${sentence}`, () =>
    assert.is(installObjection('a', image, seen(slot), known)?.reason, reason))

test('what changed since the look keeps an installation from being begun', () => {
  const rows = [seen(quiet), seen(quiet, { bootId: 'later' }), seen(other), seen(unknown('unread'))]
  assert.equal(
    rows.map((now) => changedSinceLook('a', image, seen(quiet), now)?.reason),
    [undefined, 'install-failed', 'other-version-waiting', 'install-unknown'],
  )
})

const ends: [slot: OtherSlot, more: Partial<Inspection>, said: string, why: string][] = [
  [quiet, { bootId: 'later' }, '', 'install-failed: the node went down while it was installed'],
  [failed(6), {}, 'EOF', 'install-failed: '],
  [failed(2), {}, '', 'installer-refused: '],
  [{ state: 'cut-off', image }, {}, 'EOF', 'install-failed: the installer was cut off: EOF'],
  [other, {}, '', 'install-failed: x:v1.13.7 waits in the other slot'],
  [unknown('wrapped'), {}, '', 'install-unseen: the log of machined does not tell how it ended'],
  [quiet, {}, 'talosctl ended well', 'install-failed: the node tells of no installation: talosctl ended well'],
]
for (const [slot, more, said, why] of ends)
  test(`after a slot that is ${slot.state}: ${why}`, () => {
    const { reason, detail } = whyNotInstalled('a', seen(quiet), seen(slot, more), said)
    assert.ok(`${reason}: ${detail}`.startsWith(why), `${reason}: ${detail}`)
  })

test('a node that is silent after an installation says nothing of its end', () => {
  assert.is(unseen('a', failure('node-unreachable', { detail: 'no answer' })).reason, 'install-unseen')
  assert.is(unseen('a', failure('install-timed-out')).reason, 'install-timed-out')
})

test.run()
