import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import type { EtcdMember, EtcdObservation } from '../../../workflows/model/observation.ts'
import {
  etcdObjections,
  isHealthyVoter,
  leads,
  mayBeForced,
  quorum,
  votes,
  whyNoVote,
} from '../../../workflows/plan/etcd.ts'

const member = (node: string, more: Partial<EtcdMember> = {}): EtcdMember => ({
  node,
  id: `id-${node}`,
  started: true,
  learner: false,
  leader: false,
  answers: true,
  appliedIndex: 1000,
  raftIndex: 1000,
  errors: [],
  ...more,
})

const etcd = (members: EtcdMember[], more: Partial<EtcdObservation> = {}): EtcdObservation => ({
  members,
  undeclared: [],
  disagreements: [],
  alarms: [],
  unread: [],
  ...more,
})

const unlisted = (more: Partial<EtcdMember>): EtcdMember => {
  const { id: _, ...rest } = member('b', more)
  return rest
}

const policy = { lagBound: 100, acceptOutage: false }
const accepted = { ...policy, acceptOutage: true }
const trio = (of: Partial<EtcdMember> = {}) => [member('a'), member('b', of), member('c')]
const reasons = (node: string, seen: EtcdObservation, by = policy) =>
  etcdObjections(node, seen, by).map((f) => f.reason)

const row = (sentence: string, seen: EtcdObservation, expected: string[], by = policy) =>
  test(sentence, () => assert.equal(reasons('a', seen, by), expected))

row('lets one of three healthy members go', etcd(trio()), [])
row('refuses while another member does not answer', etcd(trio({ answers: false })), [
  'etcd-member-unhealthy',
  'etcd-quorum',
])
row('refuses while another control plane is no member', etcd([member('a'), unlisted({}), member('c')]), [
  'etcd-member-missing',
  'etcd-quorum',
])
row(
  'says of a control plane whose etcd does not run, and that nobody lists, that it has not joined',
  etcd([member('a'), unlisted({ answers: false, started: false }), member('c')]),
  ['etcd-not-joined', 'etcd-outage'],
)
row(
  'counts no control plane that has not joined among the votes',
  etcd([...trio(), { ...unlisted({ answers: false, started: false }), node: 'd' }]),
  ['etcd-not-joined'],
)
row(
  'says of nobody that it has not joined where no list could be read',
  etcd(['a', 'b', 'c'].map((node) => ({ ...unlisted({ answers: false }), node }))),
  ['etcd-member-unhealthy', 'etcd-member-unhealthy', 'etcd-quorum'],
)
row(
  'lets a control plane go that has not joined etcd: it has no vote to lose',
  etcd([{ ...unlisted({ answers: false, started: false }), node: 'a' }, member('b'), member('c')]),
  [],
)
row('refuses while another member was added and never started', etcd(trio({ started: false })), [
  'etcd-member-unhealthy',
  'etcd-quorum',
])
row('refuses while another member is a learner', etcd(trio({ learner: true })), ['etcd-learner', 'etcd-quorum'])
row('refuses while another member reports an error', etcd(trio({ errors: ['etcdserver: no leader'] })), [
  'etcd-member-unhealthy',
  'etcd-quorum',
])
row('lets go at the bound of the lag', etcd(trio({ appliedIndex: 900 })), [])
row('refuses one entry beyond it', etcd(trio({ appliedIndex: 899 })), ['etcd-member-behind', 'etcd-quorum'])
row(
  'names an alarm once, though every member repeats it among its errors',
  etcd(trio({ errors: ['memberID:7 alarm:NOSPACE '] }), { alarms: [{ node: 'b', kind: 'NOSPACE' }] }),
  ['etcd-alarm'],
)
row(
  'refuses by the repetition alone where the alarms could not be read',
  etcd(trio({ errors: ['memberID:7 alarm:NOSPACE '] })),
  ['etcd-member-unhealthy', 'etcd-quorum'],
)
row('refuses while the members disagree', etcd(trio(), { disagreements: [{ node: 'b', detail: 'lists 2' }] }), [
  'etcd-members-disagree',
])
row('refuses at an alarm, even of the target', etcd(trio(), { alarms: [{ node: 'a', kind: 'NOSPACE' }] }), [
  'etcd-alarm',
])
const unread = (node: string, what: 'members' | 'alarms') => ({ node, what, failure: failure('command-failed') })
row(
  'refuses while the alarms of others can not be read',
  etcd(trio(), { unread: [unread('b', 'alarms'), unread('c', 'alarms')] }),
  ['etcd-unreadable', 'etcd-unreadable'],
)
row(
  'refuses while the member list of another one can not be read',
  etcd(trio(), { unread: [unread('c', 'members')] }),
  ['etcd-unreadable'],
)
row(
  'does not mind what can not be read at the target: that it is broken may be why it is upgraded',
  etcd(trio(), { unread: [unread('a', 'alarms'), unread('a', 'members')] }),
  [],
)
row(
  'refuses a single member whose own alarms can not be read: nobody else tells of them',
  etcd([member('a')], { unread: [unread('a', 'alarms')] }),
  ['etcd-unreadable'],
  accepted,
)
row(
  'names a member that answers nothing once, and not for each question',
  etcd(trio({ answers: false }), { unread: [unread('b', 'alarms'), unread('b', 'members')] }),
  ['etcd-member-unhealthy', 'etcd-quorum'],
)
row('refuses an undeclared learner', etcd(trio(), { undeclared: [{ id: '1', hostname: '', learner: true }] }), [
  'etcd-learner',
])
row('refuses an undeclared member', etcd(trio(), { undeclared: [{ id: '1', hostname: 'x', learner: false }] }), [
  'etcd-member-unknown',
])
row(
  'lets a broken target go when all others are well',
  etcd([member('a', { answers: false }), member('b'), member('c')]),
  [],
)
row(
  'does not mind what the broken target says of the others',
  etcd(trio(), { disagreements: [{ node: 'a', detail: 'none' }] }),
  [],
)
row('refuses a single member', etcd([member('a')]), ['etcd-outage'])
row('refuses two members', etcd([member('a'), member('b')]), ['etcd-outage'])
row('lets a single member go when the outage is accepted', etcd([member('a')]), [], accepted)
row('lets one of two go when the outage is accepted', etcd([member('a'), member('b')]), [], accepted)
row(
  'refuses one of two when the other is broken, accepted or not',
  etcd([member('a'), member('b', { answers: false })]),
  ['etcd-member-unhealthy'],
  accepted,
)
row(
  'refuses the broken one of two, too: the healthy one has no leader then, and would be alone with its data',
  etcd([member('a', { answers: false }), member('b', { errors: ['etcdserver: no leader'] })]),
  ['etcd-member-unhealthy'],
  accepted,
)
row('accepts no outage among three', etcd(trio({ answers: false })), ['etcd-member-unhealthy', 'etcd-quorum'], accepted)

const dead = { answers: false }
const whose: [sentence: string, seen: EtcdObservation, votes: boolean, onlyItself: boolean][] = [
  ['well, as all others are', etcd(trio()), true, false],
  ['unwell, and all others are well', etcd([member('a', dead), member('b'), member('c')]), false, true],
  ['unwell, as another one is', etcd([member('a', dead), member('b', dead), member('c')]), false, false],
  ['well, and another one is not', etcd(trio(dead)), true, false],
  ['behind', etcd([member('a', { appliedIndex: 1 }), member('b'), member('c')]), false, true],
  ['not there', etcd([member('b'), member('c')]), false, false],
]
for (const [sentence, seen, vote, onlyItself] of whose)
  test(`a member that is ${sentence}: ${vote ? 'votes' : 'does not vote'}, ${onlyItself ? '' : 'not '}the only one that is unwell`, () =>
    assert.equal([votes('a', seen, 100), mayBeForced('a', seen, policy, true)], [vote, onlyItself]))

const pair = etcd([member('a'), member('b')])
const forced: [sentence: string, seen: EtcdObservation, by: typeof policy, wasRefused: boolean, may: boolean][] = [
  ['of two members, the outage of which is accepted', pair, accepted, false, true],
  ['of two members, the outage of which is not accepted', pair, policy, true, false],
  ['of three, whatever is accepted', etcd(trio()), accepted, false, false],
  [
    'that alone is unwell, before the node refused',
    etcd([member('a', dead), member('b'), member('c')]),
    policy,
    false,
    false,
  ],
]
for (const [sentence, seen, by, wasRefused, may] of forced)
  test(`the node's own check of etcd is ${may ? '' : 'not '}skipped for one ${sentence}`, () =>
    assert.is(mayBeForced('a', seen, by, wasRefused), may))

test('what keeps a member from voting is said in a few words', () => {
  const rows: Partial<EtcdMember>[] = [
    { answers: false },
    { answers: false, failure: failure('node-unreachable', { detail: 'no answer before the deadline' }) },
    { learner: true },
    { errors: ['etcdserver: no leader'] },
    { appliedIndex: 900 },
  ]
  assert.equal(
    rows.map((more) => whyNoVote('a', etcd([member('a', more), member('b')]))),
    [
      'its member does not answer',
      'no answer before the deadline',
      'a learner',
      'etcdserver: no leader',
      '100 entries behind',
    ],
  )
})

test('a member leads that answers and is the leader', () => {
  const rows: Partial<EtcdMember>[] = [{ leader: true }, { leader: true, answers: false }, {}]
  assert.equal(
    rows.map((more) => leads('a', etcd([member('a', more), member('b')]))),
    [true, false, false],
  )
})

const anyMember = (node: string) =>
  fc
    .record({
      started: fc.boolean(),
      learner: fc.boolean(),
      answers: fc.boolean(),
      applied: fc.integer({ min: 0, max: 1000 }),
      error: fc.boolean(),
    })
    .map((m) =>
      member(node, {
        started: m.started,
        learner: m.learner,
        answers: m.answers,
        appliedIndex: m.applied,
        errors: m.error ? ['broken'] : [],
      }),
    )

test('never lets a member go when fewer healthy voters than a quorum would remain', () => {
  const clusters = fc
    .integer({ min: 3, max: 7 })
    .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyMember(`n${i}`))))
  fc.assert(
    fc.property(clusters, fc.boolean(), (members, acceptOutage) => {
      const seen = etcd(members)
      if (etcdObjections('n0', seen, { lagBound: 100, acceptOutage }).length > 0) return
      const left = members.filter((m) => m.node !== 'n0' && isHealthyVoter(m, seen, 100)).length
      assert.ok(left >= quorum(members.length))
    }),
    { numRuns: 2000 },
  )
})

test.run()
