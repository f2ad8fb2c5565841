import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailureReason, failure } from '../../../workflows/model/failure.ts'
import type { OtherSlot } from '../../../workflows/model/observation.ts'
import type { Verdict } from '../../../workflows/model/verdict.ts'
import {
  afterFailure,
  type Begun,
  begunBy,
  type Judgement,
  judge,
  judgeAtEnd,
  judgeStopped,
  type Sight,
  whyNotReached,
} from '../../../workflows/plan/judge.ts'
import { type NodePlan, switchOf } from '../../../workflows/plan/plan.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

const plan = nodePlan('a', 'controlplane')
const legacy = nodePlan('a', 'controlplane', { work: 'one call', before: { version: 'v1.12.9' } })
const restart = nodePlan('a', 'controlplane', { work: { kind: 'restart', mode: 'default' } })
const idle = nodePlan('a', 'controlplane', { work: { kind: 'leave' }, before: { version: 'v1.13.9' } })
const { image } = switchOf(plan)

const nothing: Begun = { install: 'no', flipped: false }
const begun: Begun = { install: 'begun', flipped: false }
const installed: Begun = { install: 'done', flipped: false }
const down: Begun = { install: 'done', flipped: true }
const downByOneCall: Begun = { install: 'no', flipped: true }

const before: Sight = {
  version: 'v1.13.5',
  bootId: 'a-before',
  stage: 'running',
  ready: true,
  unmet: [],
  schematic: 's',
  extensions: [],
  otherSlot: { state: 'quiet' },
}
const slot = (otherSlot: OtherSlot): Sight => ({ ...before, otherSlot })
const waits = slot({ state: 'installed', image, at: '2026-11-21T12:03:00' })
const unread = slot({ state: 'unknown', why: 'unread' })
const rebooted: Sight = { ...before, bootId: 'a-after' }
const onTarget: Sight = { ...rebooted, version: 'v1.13.9' }

type Row = [
  sentence: string,
  begun: Begun,
  seen: Sight | undefined,
  verdict: Verdict,
  waiting?: string | undefined,
  of?: NodePlan,
]

const rows: Row[] = [
  ['a node that nothing was begun on, and that is as it was', nothing, before, 'unchanged'],
  ['one whose log nobody can read, and that nothing was begun on', nothing, unread, 'unchanged'],
  ['an installation that failed, and the log says so', begun, slot({ state: 'install-failed', image }), 'unchanged'],
  ['an installation that never began, and the log says so', begun, before, 'unchanged'],
  ['an installation that ended', begun, waits, 'installed-not-rebooted', 'since 2026-11-21T12:03:00'],
  ...(['unread', 'wrapped', 'wording'] as const).map(
    (why): Row => [
      `an installation after which the log is ${why}`,
      begun,
      slot({ state: 'unknown', why }),
      'installed-not-rebooted',
      'its log can not tell whether the installation ended',
    ],
  ),
  [
    'an installation that was seen to end, and of which the log tells no more',
    installed,
    before,
    'installed-not-rebooted',
    'its log no longer tells of the installation',
  ],
  [
    'an installation that still runs',
    begun,
    slot({ state: 'installing', image }),
    'installed-not-rebooted',
    'it is being installed',
  ],
  [
    'an installation that was cut off',
    begun,
    slot({ state: 'cut-off', image }),
    'installed-not-rebooted',
    'its installation was cut off',
  ],
  ['a request to reboot that was not followed', down, waits, 'installed-not-rebooted', 'since 2026-11-21T12:03:00'],
  ['an installation on a node that no longer answers', begun, undefined, 'unreachable', 'it does not answer'],
  ['a node that no longer answers, and that nothing was begun on', nothing, undefined, 'unreachable'],
  ['a power cut before anything was begun', nothing, rebooted, 'rebooted'],
  ['a power cut in the middle of an installation', begun, rebooted, 'rebooted'],
  [
    'a power cut, and an installation after it',
    begun,
    { ...waits, bootId: 'a-after' },
    'installed-not-rebooted',
    'since 2026-11-21T12:03:00',
  ],
  ['a boot by somebody else into what we installed', installed, onTarget, 'flipped-early'],
  ['the same, and it does not get ready', installed, { ...onTarget, ready: false }, 'stuck'],
  ['an upgrade by somebody else', nothing, onTarget, 'upgraded'],
  ['a boot of ours into the target', down, onTarget, 'upgraded'],
  ['the same, and it does not get ready', down, { ...onTarget, ready: false }, 'stuck'],
  ['the same, and it stays in a stage before', down, { ...onTarget, stage: 'booting' }, 'stuck'],
  ['the same, and its etcd member does not vote', down, { ...onTarget, votes: false }, 'stuck'],
  ['the same, and its etcd member votes', down, { ...onTarget, votes: true }, 'upgraded'],
  ['a boot of ours back into the old version', down, rebooted, 'rolled-back'],
  ['a boot of ours into something else', down, { ...rebooted, version: 'v1.13.7' }, 'stuck'],
  [
    'one call that boots the old version',
    downByOneCall,
    { ...rebooted, version: 'v1.12.9' },
    'rolled-back',
    undefined,
    legacy,
  ],
  [
    'one call that was begun, and a log that nobody can read',
    downByOneCall,
    { ...unread, version: 'v1.12.9' },
    'installed-not-rebooted',
    'its log can not tell whether the installation ended',
    legacy,
  ],
  ['a node that was to be left alone', nothing, { ...before, version: 'v1.13.9' }, 'unchanged', undefined, idle],
  ['a node that was to be left alone, and that somebody rebooted', nothing, onTarget, 'rebooted', undefined, idle],
  ['the same, and it does not get ready', nothing, { ...onTarget, ready: false }, 'stuck', undefined, idle],
  ['the same, into an older version', nothing, rebooted, 'rolled-back', undefined, idle],
  ['the same, into another schematic', nothing, { ...onTarget, schematic: 'other' }, 'stuck', undefined, idle],
  ['a power cut before anything was begun, and it does not get ready', nothing, { ...rebooted, ready: false }, 'stuck'],
  ['a boot by somebody else into a third version', nothing, { ...rebooted, version: 'v1.13.7' }, 'stuck'],
  ['a restart that was not begun', nothing, before, 'unchanged', undefined, restart],
  ['a restart that was asked for, of a node that runs on', downByOneCall, before, 'interrupted', undefined, restart],
  ['a restart', downByOneCall, rebooted, 'rebooted', undefined, restart],
  ['a restart by somebody else', nothing, rebooted, 'rebooted', undefined, restart],
  [
    'a restart after which it does not get ready',
    downByOneCall,
    { ...rebooted, ready: false },
    'stuck',
    undefined,
    restart,
  ],
  [
    'the same, and its etcd member does not vote',
    downByOneCall,
    { ...rebooted, votes: false },
    'stuck',
    undefined,
    restart,
  ],
  ['a restart into a newer version', downByOneCall, onTarget, 'stuck', undefined, restart],
  [
    'a restart into an older version',
    downByOneCall,
    { ...rebooted, version: 'v1.13.1' },
    'rolled-back',
    undefined,
    restart,
  ],
  ['a restart into another schematic', downByOneCall, { ...rebooted, schematic: 'other' }, 'stuck', undefined, restart],
  ['a restart of a node that no longer answers', downByOneCall, undefined, 'unreachable', undefined, restart],
]

for (const [sentence, what, seen, verdict, waiting, of = plan] of rows) {
  test(`${sentence}: ${verdict}${waiting ? `, ${waiting}` : ''}`, () => {
    const judged = judge(of, what, seen)
    const { doubt, since } = judged.evidence.waiting ?? {}
    assert.equal([judged.verdict, doubt ?? (since && `since ${since}`)], [verdict, waiting])
    assert.is(judged.evidence.bootIdBefore, 'a-before')
    assert.is(judged.evidence.bootId, seen?.bootId)
  })
}

test('is never unchanged where an installation may wait, or the machine booted', () => {
  const slots: OtherSlot[] = [
    ...(['installing', 'installed', 'cut-off'] as const).map((state) => ({ state, image })),
    ...(['unread', 'wrapped', 'wording'] as const).map((why) => ({ state: 'unknown' as const, why })),
  ]
  for (const what of [begun, installed, down])
    for (const otherSlot of slots)
      for (const bootId of ['a-before', 'a-after'])
        assert.is.not(judge(plan, what, { ...before, otherSlot, bootId }).verdict, 'unchanged')
})

const afterFailures: [verdict: Verdict, doubt: string | undefined, reason: FailureReason, expected: Verdict][] = [
  ['unchanged', undefined, 'install-failed', 'unchanged'],
  ['unchanged', undefined, 'other-version-waiting', 'refused'],
  ['installed-not-rebooted', 'its log can not tell', 'install-unknown', 'refused'],
  ['installed-not-rebooted', 'its log can not tell', 'install-failed', 'installed-not-rebooted'],
  ['installed-not-rebooted', undefined, 'etcd-alarm', 'installed-not-rebooted'],
  ['rebooted', undefined, 'install-unknown', 'rebooted'],
  ['interrupted', undefined, 'reboot-failed', 'interrupted'],
  ['interrupted', undefined, 'other-version-waiting', 'refused'],
]
for (const [verdict, doubt, reason, expected] of afterFailures) {
  test(`after ${reason} a node that is ${verdict}${doubt ? ' as far as we know' : ''} is ${expected}, with what waits`, () => {
    const evidence = { waiting: { image, ...(doubt ? { doubt } : {}) } }
    assert.equal(afterFailure({ verdict, evidence }, failure(reason)), { verdict: expected, evidence })
  })
}

const read = (evidence: object, verdict: Verdict = 'upgraded') => ({ verdict, evidence })
const intent = (step: string) => ({ type: 'intent', path: `a/x/${step}`, step, node: 'a' })
const outcome = (step: string, ok = true, output: object = {}) => ({ type: 'outcome', path: `a/x/${step}`, ok, output })
const unasked = (step: string) => ({ ...outcome(step, false), failure: { reason: 'x', unasked: true } })
const takenBack = (step: string) => ({ type: 'unasked', path: `a/x/${step}`, node: 'a' })
const installing = { type: 'installing', node: 'a', bootId: 'a-before', image: 'i' }
const hasInstalled = [intent('install'), outcome('install')]
const target = { version: 'v1.13.9', bootId: 'a-after' }
const hasRebooted = [...hasInstalled, intent('reboot'), outcome('reboot', true, { flippedEarly: false, seen: target })]
const told: [sentence: string, records: object[], begun: Begun | undefined][] = [
  ['nothing', [{ type: 'run' }], undefined],
  ['a pull', [intent('pull-image'), outcome('pull-image')], undefined],
  ['an installation without an end', [intent('install')], begun],
  ['an installation that failed', [intent('install'), outcome('install', false)], begun],
  ['an installation that ended', [intent('install'), outcome('install')], installed],
  ['a reboot after it', [intent('install'), outcome('install'), intent('reboot')], down],
  ['the one call', [intent('upgrade')], downByOneCall],
  ['an installation that was not asked for', [intent('install'), unasked('install')], undefined],
  ['a reboot that was not asked for', [...hasInstalled, intent('reboot'), unasked('reboot')], installed],
  ['an installation that was kept back', [intent('install'), installing, takenBack('install')], undefined],
  ['a reboot that was kept back', [...hasInstalled, intent('reboot'), takenBack('reboot')], installed],
  [
    'an installation that was begun once more, and kept back',
    [intent('install'), intent('install'), takenBack('install')],
    begun,
  ],
  ['a cordon', [intent('cordon'), outcome('cordon')], { ...nothing, disturbed: true }],
  ['a look at etcd', [intent('check-etcd'), outcome('check-etcd')], undefined],
  [
    'a drain and a reboot',
    [intent('drain'), outcome('drain'), intent('reboot')],
    { ...downByOneCall, disturbed: true },
  ],
  [
    'a node that was asked nothing, by the word of its step',
    [...hasInstalled, intent('reboot'), outcome('reboot', true, { flippedEarly: false, stillUp: true, unasked: true })],
    installed,
  ],
  [
    'what waits by the word of its installation',
    [intent('install'), outcome('install', true, { image, since: 'then' })],
    { ...installed, waits: { image, since: 'then' } },
  ],
  ['a new boot', hasRebooted, { ...down, booted: true, seen: target }],
  [
    'a new boot, by an earlier version',
    [...hasInstalled, intent('reboot'), outcome('reboot', true, { flippedEarly: false })],
    { ...down, booted: true },
  ],
  [
    'a node that runs on, and may have been asked',
    [...hasInstalled, intent('reboot'), outcome('reboot', true, { flippedEarly: false, stillUp: true })],
    down,
  ],
  [
    'what was read after the boot',
    [...hasRebooted, outcome('verify', true, read({ ...target, ready: true })), intent('settle')],
    { ...down, booted: true, seen: { ...target, ready: true } },
  ],
  ['what was read before one more request', [...hasRebooted, intent('reboot')], down],
  [
    'what was read after an installation that failed',
    [
      intent('install'),
      outcome('install', false),
      outcome('diagnose', true, read({ version: 'v1.13.5' }, 'unchanged')),
    ],
    { ...begun, seen: { version: 'v1.13.5' } },
  ],
  [
    'a node of which nothing could be read',
    [...hasRebooted, outcome('diagnose', true, read({ versionBefore: 'v1.13.5' }, 'unreachable'))],
    { ...down, booted: true, seen: target },
  ],
]
for (const [sentence, records, expected] of told) {
  test(`a journal tells of ${sentence}`, () => assert.equal(begunBy(records as never).a, expected))
}

const stopped: [verdict: Verdict, what: Begun | undefined, expected: Verdict, doubt?: string][] = [
  ['unchanged', undefined, 'unchanged'],
  ['refused', nothing, 'refused'],
  // it was pulling, or looked at
  ['interrupted', undefined, 'unchanged'],
  ['interrupted', nothing, 'unchanged'],
  ['interrupted', installed, 'installed-not-rebooted', 'its installation was begun'],
  ['interrupted', { ...nothing, disturbed: true }, 'interrupted'],
  // what it was made to bear is undone by then
  ['refused', { ...nothing, disturbed: true }, 'refused'],
  ['unchanged', begun, 'installed-not-rebooted', 'its installation was begun'],
  ['refused', installed, 'installed-not-rebooted', 'its installation was begun'],
  ['interrupted', begun, 'interrupted', 'its installation was begun'],
  ['unchanged', down, 'interrupted', 'its installation was begun'],
  ['upgraded', undefined, 'upgraded'],
]
for (const [verdict, what, expected, doubt] of stopped) {
  test(`a run that stands still calls what was ${verdict} ${expected}${doubt ? ', and what it began a doubt' : ''}`, () => {
    const judged = judgeStopped(plan, { verdict, evidence: {} }, what)
    assert.equal([judged.verdict, judged.evidence.waiting?.doubt], [expected, doubt])
  })
}

const was = { versionBefore: 'v1.13.5', bootIdBefore: 'a-before' }
const tail = { image, doubt: 'its installation was begun' }
const waiting = { ...was, version: 'v1.13.5', waiting: { image, since: '2026-11-21T12:03:00' } }
const stoppedAt: [sentence: string, stood: Judgement, what: Begun, expected: Judgement][] = [
  [
    'whose new boot was seen',
    { verdict: 'interrupted', evidence: waiting },
    { ...down, booted: true, seen: target },
    { verdict: 'interrupted', evidence: { ...was, ...target } },
  ],
  [
    'whose new boot an earlier version saw',
    { verdict: 'interrupted', evidence: waiting },
    { ...down, booted: true },
    { verdict: 'interrupted', evidence: was },
  ],
  [
    'that was verified and not settled',
    { verdict: 'interrupted', evidence: waiting },
    { ...down, booted: true, seen: { ...was, ...target, ready: true } },
    { verdict: 'interrupted', evidence: { ...was, ...target, ready: true } },
  ],
  [
    'that was upgraded',
    { verdict: 'upgraded', evidence: { ...was, ...target } },
    { ...down, booted: true },
    { verdict: 'upgraded', evidence: { ...was, ...target } },
  ],
  [
    'that was upgraded, by a journal of an earlier version',
    { verdict: 'upgraded', evidence: { ...was, ...target } },
    down,
    { verdict: 'upgraded', evidence: { ...was, ...target } },
  ],
  [
    'that came back once and went silent',
    { verdict: 'unreachable', evidence: was },
    { ...down, booted: true, seen: target },
    { verdict: 'unreachable', evidence: was },
  ],
  [
    'whose installation failed, as it said itself',
    { verdict: 'unchanged', evidence: { version: 'v1.13.5' } },
    { ...begun, seen: { version: 'v1.13.5', ready: true } },
    { verdict: 'unchanged', evidence: { ...was, version: 'v1.13.5', ready: true } },
  ],
  [
    'that was installed and is still to go down',
    { verdict: 'interrupted', evidence: { version: 'v1.13.5' } },
    { ...installed, waits: { image, since: 'then' } },
    { verdict: 'installed-not-rebooted', evidence: { version: 'v1.13.5', waiting: { image, since: 'then' } } },
  ],
  [
    'that was being asked to go down',
    { verdict: 'interrupted', evidence: { version: 'v1.13.5' } },
    down,
    { verdict: 'interrupted', evidence: { version: 'v1.13.5', waiting: tail } },
  ],
]
for (const [sentence, stood, what, expected] of stoppedAt)
  test(`of a node ${sentence} a run that stands still says no less than it saw`, () =>
    assert.equal(judgeStopped(plan, stood, what), expected))

test('nothing waits on a node that booted since, also where it is silent now', () => {
  assert.is(judge(plan, { ...down, booted: true }, undefined).evidence.waiting, undefined)
  assert.is.not(judge(plan, down, undefined).evidence.waiting, undefined)
})

const gone = { ok: false as const, failure: failure('node-unreachable', { detail: 'no answer' }) }
const other = { ok: false as const, failure: failure('other-node-than-declared', { detail: 'answers as b' }) }
const seenAs = (sight: Sight) => ({ ok: true as const, value: sight })
const unsettled = failure('kubernetes-not-ready', { step: 'settle' })
type Last = [
  sentence: string,
  stood: { verdict: Verdict; failure?: ReturnType<typeof failure> } & Begun,
  seen: ReturnType<typeof seenAs> | typeof gone,
  verdict: Verdict,
  reason?: FailureReason,
]
const up = { ...down, verdict: 'upgraded' } as const
const lastLooks: Last[] = [
  ['upgraded and still so', up, seenAs({ ...onTarget, votes: true }), 'upgraded'],
  ['upgraded and booted once more, and well', up, seenAs({ ...onTarget, bootId: 'a-later' }), 'upgraded'],
  ['upgraded and down', up, gone, 'unreachable', 'unwell-at-end'],
  ['upgraded and not ready', up, seenAs({ ...onTarget, ready: false }), 'stuck', 'unwell-at-end'],
  ['upgraded and without its vote', up, seenAs({ ...onTarget, votes: false }), 'stuck', 'unwell-at-end'],
  ['upgraded and back on the old version', up, seenAs({ ...rebooted }), 'rolled-back', 'unwell-at-end'],
  ['flipped early and still so', { ...down, verdict: 'flipped-early' }, seenAs(onTarget), 'flipped-early'],
  ['untouched and as it was', { ...nothing, verdict: 'unchanged' }, seenAs(before), 'unchanged'],
  ['untouched and booted by somebody', { ...nothing, verdict: 'unchanged' }, seenAs(rebooted), 'rebooted'],
  ['untouched and down', { ...nothing, verdict: 'unchanged' }, gone, 'unreachable', 'unwell-at-end'],
  ['well, and another machine answers for it', { ...down, verdict: 'upgraded' }, other, 'unreachable', 'unwell-at-end'],
  [
    'untouched, and another machine answers for it',
    { ...nothing, verdict: 'unchanged' },
    other,
    'unreachable',
    'other-node-than-declared',
  ],
  [
    'not pulled, and booted meanwhile',
    { ...nothing, verdict: 'unchanged', failure: failure('image-pull-failed') },
    seenAs(rebooted),
    'rebooted',
    'image-pull-failed',
  ],
  [
    'installed and waiting',
    { ...installed, verdict: 'installed-not-rebooted' },
    seenAs(waits),
    'installed-not-rebooted',
  ],
  [
    'installed, and booted by somebody meanwhile',
    { ...installed, verdict: 'installed-not-rebooted' },
    seenAs(onTarget),
    'flipped-early',
  ],
  [
    'refused and as it was',
    { ...nothing, verdict: 'refused', failure: failure('etcd-alarm') },
    seenAs(before),
    'refused',
    'etcd-alarm',
  ],
  [
    'refused and booted meanwhile',
    { ...nothing, verdict: 'refused', failure: failure('etcd-alarm') },
    seenAs(rebooted),
    'rebooted',
    'etcd-alarm',
  ],
  [
    'silent, and back and well since',
    { ...down, verdict: 'unreachable', failure: failure('never-returned', { step: 'reboot' }) },
    seenAs(onTarget),
    'upgraded',
    'never-returned',
  ],
  [
    'unwell in Kubernetes, of which Talos tells nothing',
    { ...down, verdict: 'stuck', failure: unsettled },
    seenAs(onTarget),
    'stuck',
    'kubernetes-not-ready',
  ],
]
for (const [sentence, { verdict, failure: why, ...what }, seen, expected, reason] of lastLooks) {
  test(`at the last look a node that was left ${sentence} is ${expected}${reason ? ` (${reason})` : ''}`, () => {
    const found = judgeAtEnd({ plan, verdict, evidence: {}, ...what, ...(why ? { failure: why } : {}) }, seen)
    assert.equal([found.verdict, found.failure?.reason], [expected, reason])
  })
}

const ends: [sentence: string, seen: Sight, why: string | undefined][] = [
  ['that runs what it ran, in another boot,', rebooted, undefined],
  ['that never went down', before, 'reboot-failed'],
  ['that boots what somebody had installed', onTarget, 'wrong-version'],
  ['that boots another schematic', { ...rebooted, schematic: 'other' }, 'wrong-schematic'],
  ['that does not get ready', { ...rebooted, ready: false, unmet: ['x'] }, 'never-ready'],
]

for (const [sentence, seen, why] of ends)
  test(`a restarted node ${sentence} ends by ${why ?? 'no failure'}`, () =>
    assert.is(whyNotReached(restart, seen)?.reason, why))

test.run()
