import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FailureReason, failure, type Result } from '../../../workflows/model/failure.ts'
import type { EtcdMember, EtcdObservation } from '../../../workflows/model/observation.ts'
import { type Departure, gateObjections, isDecided } from '../../../workflows/plan/gate.ts'

const member = (node: string, more: Partial<EtcdMember> = {}): EtcdMember => ({
  ...{ node, id: node, started: true, learner: false, leader: node === 'c', answers: true, errors: [] },
  ...{ appliedIndex: 9, raftIndex: 9 },
  ...more,
})
const etcd = (more: Partial<EtcdObservation> = {}): EtcdObservation => ({
  ...{
    members: ['a', 'b', 'c'].map((node) => member(node)),
    undeclared: [],
    disagreements: [],
    alarms: [],
    unread: [],
  },
  ...more,
})
type Status = { stage: string; ready: boolean; unmet: string[] }
const up: Result<Status> = { ok: true, value: { stage: 'running', ready: true, unmet: [] } }
const not = (reason: FailureReason): Result<Status> => ({ ok: false, failure: failure(reason) })
const others = (b: Result<Status>) => ({ b, c: up })

const rows: [sentence: string, more: Partial<Departure>, reasons: string[]][] = [
  ['nothing where all is well', {}, []],
  [
    'another control plane that is not ready',
    { others: others({ ok: true, value: { stage: 'running', ready: false, unmet: ['x'] } }) },
    ['b control-plane-not-ready'],
  ],
  [
    'another control plane that boots',
    { others: others({ ok: true, value: { stage: 'booting', ready: false, unmet: [] } }) },
    ['b control-plane-not-ready'],
  ],
  ['another control plane that is silent', { others: others(not('node-slow')) }, ['b control-plane-unreachable']],
  [
    'no machine in maintenance, whose member counts while one is listed',
    { others: others(not('node-in-maintenance')) },
    [],
  ],
  [
    'a learner of etcd',
    { etcd: etcd({ members: [member('a'), member('b'), member('c', { learner: true })] }) },
    ['c etcd-learner', 'a etcd-quorum'],
  ],
  ['an alarm of etcd', { etcd: etcd({ alarms: [{ node: 'b', kind: 'NOSPACE' }] }) }, ['b etcd-alarm']],
]

for (const [sentence, more, reasons] of rows)
  test(`the gate of a control plane names ${sentence}`, () => {
    const policy = { lagBound: 100, acceptOutage: false }
    const found = gateObjections({ node: 'a', others: others(up), etcd: etcd(), policy, ...more })
    assert.equal(
      found.map(({ node, reason }) => [node, reason].filter(Boolean).join(' ')),
      reasons,
    )
  })

const waited: [sentence: string, reasons: FailureReason[], decided: boolean][] = [
  ['is open', [], true],
  ['finds a member that has just come back', ['etcd-member-behind', 'etcd-quorum'], false],
  [
    'finds members that disagree, and one that is silent',
    ['etcd-members-disagree', 'control-plane-unreachable'],
    false,
  ],
  ['finds an alarm', ['etcd-alarm'], true],
  ['finds a member behind and a learner beside it', ['etcd-member-behind', 'etcd-learner'], true],
  ['finds that an outage is not accepted', ['etcd-outage'], true],
]
for (const [sentence, found, decided] of waited)
  test(`a gate that ${sentence} is ${decided ? 'decided' : 'looked at again'}`, () =>
    assert.is(isDecided(found.map((reason) => failure(reason))), decided))

test.run()
