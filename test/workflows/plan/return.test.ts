import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import type { Inspection, OtherSlot } from '../../../workflows/model/observation.ts'
import { isUp } from '../../../workflows/plan/life.ts'
import { switchOf } from '../../../workflows/plan/plan.ts'
import { acts, afterWait, notRebooted, notReplaced, wentBefore, wentByItself } from '../../../workflows/plan/return.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

const plan = nodePlan('a', 'worker')
const seen = (bootId: string, version = 'v1.13.5', otherSlot: OtherSlot = { state: 'quiet' }): Inspection => ({
  ...{ version, bootId, stage: 'running', ready: true, unmet: [], schematic: 's', extensions: [], otherSlot },
})
const waits: OtherSlot = { state: 'installed', image: switchOf(plan).image }
const untold: OtherSlot = { state: 'unknown', why: 'wrapped' }
const FIRST = { begunBefore: false, begun: false }

const GO = undefined
const EARLY = { flippedEarly: true }
const OURS = { flippedEarly: false }

const rebooted: [sentence: string, seen: Inspection, remembered: typeof FIRST, went: typeof EARLY | undefined][] = [
  ['is still to go in its planned boot', seen('a-before'), FIRST, GO],
  [
    'is still to go in its planned boot, whatever was asked before',
    seen('a-before'),
    { begunBefore: true, begun: true },
    GO,
  ],
  ['was booted into the target by somebody else', seen('later', 'v1.13.9'), FIRST, EARLY],
  ['was booted into the target by us', seen('later', 'v1.13.9'), { begunBefore: true, begun: false }, OURS],
  ['was booted, and nothing waits there', seen('later'), FIRST, OURS],
  ['was booted, and installed once more since', seen('later', 'v1.13.5', waits), FIRST, GO],
  ['was booted into the target, and holds it in both slots', seen('later', 'v1.13.9', waits), FIRST, EARLY],
  [
    'was booted and installed by us, which its log does not tell',
    seen('later', 'v1.13.5', untold),
    { begunBefore: false, begun: true },
    GO,
  ],
  ['was booted, and tells nothing of an installation that nobody began', seen('later', 'v1.13.5', untold), FIRST, OURS],
]
test('a node that is to be restarted wants another boot, whoever made it', () => {
  const restart = nodePlan('a', 'worker', { work: { kind: 'restart', mode: 'default' } })
  assert.is(wentBefore(restart, seen('a-before', 'v1.13.5', waits), FIRST), undefined)
  assert.equal(wentBefore(restart, seen('later'), FIRST), { flippedEarly: false })
})

for (const [sentence, now, remembered, went] of rebooted)
  test(`a node that is to be rebooted ${sentence}`, () => assert.equal(wentBefore(plan, now, remembered), went))

const legacy = nodePlan('a', 'worker', { work: 'one call', before: { version: 'v1.12.9' } })
const none = { begunBefore: false, requested: false }
const replaced: [sentence: string, seen: Inspection, remembered: typeof none, went: typeof EARLY | undefined][] = [
  ['is still to go in its planned boot', seen('a-before', 'v1.12.9'), none, GO],
  ['runs the target by somebody else', seen('later', 'v1.13.9'), none, EARLY],
  ['runs the target by us', seen('later', 'v1.13.9'), { begunBefore: true, requested: true }, OURS],
  [
    'was booted, and by us, since the call was written down',
    seen('later', 'v1.12.9'),
    { begunBefore: true, requested: true },
    OURS,
  ],
  ['was booted before the call was made', seen('later', 'v1.12.9'), { begunBefore: true, requested: false }, GO],
  ['was booted, and this step was never begun', seen('later', 'v1.12.9'), { begunBefore: false, requested: true }, GO],
]
for (const [sentence, now, remembered, went] of replaced)
  test(`a node that one call installs and reboots ${sentence}`, () =>
    assert.equal(wentByItself(legacy, now, remembered), went))

test('a schematic that changes at the same version is not there yet because the version is', () => {
  const same = nodePlan('a', 'worker', { work: 'one call', before: { version: 'v1.12.9' }, to: 'v1.12.9' })
  assert.is(wentByItself(same, seen('a-before', 'v1.12.9'), none), undefined)
})

test('a node is up while it runs or boots, and acts once it does neither, or has another boot', () => {
  const rows = ['running', 'booting', 'shutting down', 'rebooting', 'upgrading', 'installing', 'maintenance'].map(
    (stage) => [stage, isUp({ stage }), acts({ stage, bootId: 'own' }, 'own'), acts({ stage, bootId: 'other' }, 'own')],
  )
  assert.equal(rows, [
    ['running', true, false, true],
    ['booting', true, false, true],
    ['shutting down', false, true, true],
    ['rebooting', false, true, true],
    ['upgrading', false, true, true],
    ['installing', false, true, true],
    ['maintenance', false, true, true],
  ])
})

const late = failure('install-timed-out')
const lost = failure('command-failed', { detail: 'EOF' })
const up = { met: true, last: { bootId: 'own', stage: 'running' } }
const asked = { requests: 1, underWay: false }
const followed: [
  sentence: string,
  waited: { met: boolean; last: { bootId: string; stage: string } | undefined },
  asked: Parameters<typeof afterWait>[1],
  reboot: string,
  oneCall: string,
][] = [
  ['has another boot', { met: true, last: { bootId: 'new', stage: 'booting' } }, asked, 'left', 'left'],
  ['runs on as if it had not been asked', up, asked, 'ask again', 'ask again'],
  ['runs on after a call that was lost', up, { ...asked, refusal: lost }, 'ask again', 'ask again'],
  ['runs on after it acted', up, { ...asked, underWay: true }, 'ask again', 'ran on'],
  ['runs on after a third request', up, { ...asked, requests: 3 }, 'ran on', 'ran on'],
  ['runs on while a call that is late may yet begin', up, { ...asked, refusal: late }, late.reason, late.reason],
  ['is silent to the end', { met: false, last: undefined }, asked, 'never-returned', 'never-returned'],
  [
    'hangs on its way down to the end',
    { met: false, last: { bootId: 'own', stage: 'rebooting' } },
    asked,
    'ran on: hangs in rebooting',
    'never-returned',
  ],
]
for (const [sentence, waited, of, reboot, oneCall] of followed)
  test(`a node that was asked and ${sentence}: ${reboot} after a reboot, ${oneCall} after one call`, () => {
    const told = (repeats: boolean) => {
      const ranOn = ({ hangsIn }: { hangsIn?: string | undefined }) =>
        failure('reboot-failed', { detail: hangsIn === undefined ? 'ran on' : `ran on: hangs in ${hangsIn}` })
      const next = afterWait({ ...waited, bootId: 'own' }, of, { node: 'a', repeats, mayAskAgain: true, ranOn })
      return typeof next === 'string' ? next : (next.detail ?? next.reason)
    }
    assert.equal([told(true), told(false)], [reboot, oneCall])
  })

test('a node that may not be asked once more ran on', () => {
  const ranOn = () => lost
  assert.is(afterWait({ ...up, bootId: 'own' }, asked, { node: 'a', repeats: true, mayAskAgain: false, ranOn }), lost)
})

test('a node that runs on is said to do so with the last reason that was given', () => {
  const refusal = failure('command-failed', { detail: 'EOF' })
  const said = [
    notRebooted(plan, { underWay: true }),
    notRebooted(plan, { underWay: false, refusal }),
    notRebooted(plan, { underWay: true, hangsIn: 'rebooting' }),
    notReplaced(plan, { underWay: false }),
    notReplaced(plan, { underWay: true, refusal }),
  ]
  assert.equal(
    said.map(({ reason, detail }) => `${reason}: ${detail}`),
    [
      'reboot-failed: asked, and the node runs on with the boot id that it had',
      'reboot-failed: asked, and the node runs on with the boot id that it had: EOF',
      'reboot-failed: it hangs on its way down: its stage is rebooting, and its boot id the one that it had',
      'install-failed: asked, and it runs on as before',
      'install-failed: it gave the upgrade up, and runs on as before: EOF',
    ],
  )
})

test.run()
