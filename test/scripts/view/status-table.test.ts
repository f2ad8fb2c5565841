import { Chalk } from 'chalk'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { statusTable } from '../../../scripts/view/status-table.ts'
import { parseTalenv } from '../../../workflows/model/declaration/parse-talenv.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { EtcdMember, NodeFacts, Observation } from '../../../workflows/model/observation.ts'

import { kubeNode, kubernetesFacts } from '../../support/kubernetes-facts.ts'

const at = '2026-11-21T12:30:00'

const declared = parseTalenv({
  talenv: {
    path: 'clusters/cluster-7/talenv.yaml',
    text: `cluster: {name: cluster-7, id: 7, endpoint: 'https://10.0.0.10:6443', talosVersion: v1.13.9, kubernetesVersion: v1.36.1}
nodes:
  - {hostname: cp-1, ipAddress: 10.0.0.11, controlPlane: true}
  - {hostname: cp-2, ipAddress: 10.0.0.12, controlPlane: true}
  - {hostname: cp-3, ipAddress: 10.0.0.13, controlPlane: true, schematic: ${'b'.repeat(64)}}
  - {hostname: worker-1, ipAddress: 10.0.0.21}
`,
  },
})
if (!declared.ok) throw new Error('the declaration of this test is wrong')
const { cluster } = declared.value

const facts = (more: Partial<NodeFacts> = {}): Observation['nodes'][string] => ({
  reachable: true,
  version: 'v1.13.9',
  stage: 'running',
  ready: true,
  unmet: [],
  bootId: '1',
  schematic: 'a'.repeat(64),
  extensions: [],
  platform: 'metal',
  secureBoot: false,
  role: 'controlplane',
  kubeletVersion: 'v1.36.1',
  otherSlot: { state: 'quiet' },
  ...more,
})

const member = (node: string, more: Partial<EtcdMember> = {}): EtcdMember => ({
  node,
  id: node,
  started: true,
  learner: false,
  leader: false,
  answers: true,
  appliedIndex: 5_000,
  raftIndex: 5_000,
  errors: [],
  ...more,
})

const healthy: Observation = {
  at,
  nodes: { 'cp-1': facts(), 'cp-2': facts(), 'cp-3': facts({ schematic: 'b'.repeat(64) }) },
  kubernetes: kubernetesFacts([]),
  etcd: {
    members: [member('cp-1', { leader: true }), member('cp-2'), member('cp-3', { appliedIndex: 4_998 })],
    undeclared: [],
    disagreements: [],
    alarms: [],
    unread: [],
  },
}

const show = (observation: Observation) => statusTable(cluster, observation, new Chalk({ level: 0 })).split('\n')

test('says little of a healthy cluster, and only of the nodes that were asked', () => {
  assert.equal(show(healthy), [
    'node  role          stage  version  schematic  kubelet  etcd',
    'cp-1  controlplane  ready  v1.13.9  aaaaaaa    v1.36.1  leader',
    'cp-2  controlplane  ready  v1.13.9  aaaaaaa    v1.36.1  voter',
    'cp-3  controlplane  ready  v1.13.9  bbbbbbb    v1.36.1  voter, 2 behind',
    '',
  ])
})

test('shows what is declared beside what runs, and since when a version waits in the other slot', () => {
  const lines = show({
    ...healthy,
    nodes: {
      'cp-1': facts({
        otherSlot: { state: 'installed', image: `x/y/${'a'.repeat(64)}:v1.13.9`, at: '2026-11-21T12:03:00' },
      }),
      'cp-2': facts({
        version: 'v1.13.5',
        otherSlot: { state: 'installed', image: 'r:5000/x:v1.13.9@sha256:1', at: '2026-11-20T23:59:00' },
      }),
      'cp-3': facts({ otherSlot: { state: 'cut-off', image: 'x:v1.13.9' } }),
      'worker-1': facts({ role: 'worker', version: 'v1.13.5', otherSlot: { state: 'unknown', why: 'wrapped' } }),
    },
  })
  assert.match(lines[1] ?? '', /ready +v1\.13\.9 +aaaaaaa +v1\.13\.9 waits since 12:03 +v1\.36\.1 +leader$/)
  assert.match(lines[2] ?? '', /v1\.13\.5 → v1\.13\.9 +aaaaaaa +v1\.13\.9 waits since 2026-11-20 23:59 /)
  assert.match(lines[3] ?? '', /aaaaaaa → bbbbbbb +v1\.13\.9 was cut off/)
  assert.match(lines[4] ?? '', /worker +ready +v1\.13\.5 → v1\.13\.9 +aaaaaaa +not known any more +v1\.36\.1$/)
})

test('says why a node does not answer, and what keeps one from being ready', () => {
  const failure = { reason: 'node-unreachable', detail: 'no route to host' } as const
  const lines = show({
    ...healthy,
    nodes: {
      ...healthy.nodes,
      'cp-1': { reachable: false, failure },
      'cp-2': facts({ ready: false, unmet: ['services: kubelet not healthy'] }),
      'cp-3': facts({ stage: 'booting', ready: false }),
    },
    etcd: { ...healthy.etcd, members: [member('cp-1', { answers: false, failure }), member('cp-2'), member('cp-3')] },
  })
  assert.match(lines[1] ?? '', /^cp-1 +controlplane +unreachable +does not answer$/)
  assert.match(lines[2] ?? '', /running, not ready/)
  assert.match(lines[3] ?? '', /booting/)
  assert.equal(lines.slice(5, -1), ['cp-1: no route to host', 'cp-2: not ready: services: kubelet not healthy'])
})

const states: [behaviour: string, more: Partial<EtcdMember>, cell: RegExp][] = [
  ['a learner', { learner: true }, /learner$/],
  ['a member that never started', { started: false }, /never started$/],
  ['a missing member', { answers: true, id: undefined as never }, /no member$/],
  ['a member that is far behind', { appliedIndex: 1_000 }, /voter, 4000 behind$/],
  ['a member with errors', { errors: ['NOSPACE'] }, /voter, has errors$/],
]
for (const [behaviour, more, cell] of states) {
  test(`shows ${behaviour} of etcd`, () => {
    const members = [member('cp-1', { leader: true }), member('cp-2', more), member('cp-3')]
    assert.match(show({ ...healthy, etcd: { ...healthy.etcd, members } })[2] ?? '', cell)
  })
}

test('tells alarms, disagreements, errors and strangers below the table', () => {
  const lines = show({
    ...healthy,
    etcd: {
      members: [
        member('cp-1', { errors: ['etcdserver: corrupt'] }),
        member('cp-2', { answers: false, failure: { reason: 'garbage-answer' } }),
        member('cp-3'),
      ],
      undeclared: [{ id: 'abc', hostname: 'old-1', learner: false }],
      disagreements: [{ node: 'cp-3', detail: 'it lists two members' }],
      alarms: [{ node: 'cp-1', kind: 'NOSPACE' }],
      unread: [
        { node: 'cp-2', what: 'members', failure: { reason: 'garbage-answer' } },
        { node: 'cp-3', what: 'alarms', failure: { reason: 'command-failed', detail: 'deadline exceeded' } },
      ],
    },
  })
  assert.equal(lines.slice(5, -1), [
    'cp-1: etcd: etcdserver: corrupt',
    'cp-2: etcd: a node answered something that can not be read',
    'cp-3: etcd: its alarms can not be read: deadline exceeded',
    'cp-1: etcd alarm NOSPACE',
    'cp-3: its list of etcd members differs: it lists two members',
    'etcd member abc (old-1) belongs to no declared control plane',
  ])
})

test('tells who cordoned a node, and why Kubernetes does not answer', () => {
  const mark = { run: '2026-01-01T00-00-00Z-upgrade-1', at: '2026-01-01T00:00:00.000Z' }
  const kubernetes = kubernetesFacts([
    kubeNode('cp-1', '', { unschedulable: true, mark }),
    kubeNode('cp-2', '', { unschedulable: true, ready: false }),
    kubeNode('cp-3', ''),
  ])
  const lines = show({ ...healthy, kubernetes })
  assert.match(lines[1] ?? '', /v1\.36\.1, cordoned +leader$/)
  assert.match(lines[2] ?? '', /v1\.36\.1, not ready, cordoned +voter$/)
  assert.equal(lines.slice(5, -1), [
    `cp-1: cordoned by ${mark.run} since ${mark.at}; when that is over, the next run lifts it`,
    'cp-2: cordoned by somebody else, and stays so',
  ])
  const silent = show({
    ...healthy,
    kubernetes: { answers: false, failure: failure('kubernetes-unreachable', { detail: 'connection refused' }) },
  })
  assert.equal(silent.slice(5, -1), ['Kubernetes: connection refused'])
})

test.run()
