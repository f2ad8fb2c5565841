import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { failure } from '../../../workflows/model/failure.ts'
import { type Company, endsTheRun, nextToGoDown } from '../../../workflows/plan/waves.ts'

/** Control planes are named c…, workers w…. */
const company = (waiting: string, running: string, more: Partial<Company> = {}, beside = false): Company => ({
  policy: { workersAtOnce: 2, workersBesideControlPlanes: beside },
  waiting: waiting.split(' ').filter(Boolean),
  running: running.split(' ').filter(Boolean),
  roleOf: (node) => (node.startsWith('c') ? 'controlplane' : 'worker'),
  lostControlPlane: false,
  ...more,
})
const lost = { lostControlPlane: true }

const rows: [sentence: string, of: Company, next: string | undefined][] = [
  ['nobody where nobody waits', company('', ''), undefined],
  ['the first one where nobody is down', company('c1 c2 w1', ''), 'c1'],
  ['no second control plane', company('c2 w1', 'c1'), undefined],
  ['no worker beside a control plane', company('w1', 'c1'), undefined],
  ['a worker beside a control plane where the policy says so', company('c2 w1', 'c1', {}, true), 'w1'],
  ['a second worker', company('w2 w3', 'w1'), 'w2'],
  ['no third one where two may be down', company('w3', 'w1 w2'), undefined],
  ['no control plane while a worker is down', company('c1', 'w1'), undefined],
  ['a control plane while a worker is down, where the policy says so', company('c1', 'w1', {}, true), 'c1'],
  ['no control plane after one was lost', company('c2', '', lost), undefined],
  ['a worker instead, after one was lost', company('c2 w1', '', lost), 'w1'],
]

for (const [sentence, of, next] of rows) test(`lets go down ${sentence}`, () => assert.is(nextToGoDown(of), next))

const policy = {
  ...{ workersAtOnce: 1, workersBesideControlPlanes: false, keepGoing: false, passOverBlocked: false },
  acceptEtcdOutage: false,
}
const ends: [sentence: string, more: Partial<typeof policy>, reason: Parameters<typeof failure>[0], ends: boolean][] = [
  ['a failure ends the run', {}, 'never-ready', true],
  ['a failure does not, where it is to keep going', { keepGoing: true }, 'never-ready', false],
  ['a bug does, whatever is wished', { keepGoing: true, passOverBlocked: true }, 'bug', true],
  ['a drain that was given up does', {}, 'drain-blocked', true],
  [
    'a drain that was given up does not, where such nodes are passed over',
    { passOverBlocked: true },
    'drain-blocked',
    false,
  ],
  ['volumes that stay attached are passed over, too', { passOverBlocked: true }, 'volumes-attached', false],
  ['another failure is not passed over', { passOverBlocked: true }, 'never-ready', true],
]

for (const [sentence, more, reason, ended] of ends)
  test(sentence, () => assert.is(endsTheRun({ ...policy, ...more }, failure(reason)), ended))

test.run()
