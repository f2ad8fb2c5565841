import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Run } from '../../../../scripts/run.ts'
import { createAsk } from '../../../../scripts/tools/talosctl/ask.ts'
import type { MemberRow, StatusRow } from '../../../../scripts/tools/talosctl/etcd-tables.ts'
import { layOut, observeEtcd } from '../../../../scripts/tools/talosctl/observe-etcd.ts'
import { createWays } from '../../../../scripts/tools/talosctl/ways.ts'
import { failure } from '../../../../workflows/model/failure.ts'
import { votes } from '../../../../workflows/plan/etcd.ts'
import { commandResult } from '../../../support/command-result.ts'

const test = suite("the control planes' views of etcd, side by side")

const controlPlanes = [1, 2, 3].map((n) => ({
  name: `k8s-${n}`,
  address: `10.0.0.1${n}`,
  role: 'controlplane' as const,
}))
const id = (n: number) => `000000000000000${n}`
const row = (n: number, more: Partial<MemberRow> = {}): MemberRow => ({
  id: id(n),
  hostname: `k8s-${n}`,
  peerUrls: [`https://10.0.0.1${n}:2380`],
  learner: false,
  ...more,
})
const status = (n: number, more: Partial<StatusRow> = {}): StatusRow => ({
  id: id(n),
  dbSize: '4.1 MB',
  leader: id(2),
  raftIndex: 100,
  raftTerm: 3,
  appliedIndex: 99,
  learner: false,
  errors: [],
  ...more,
})
const all = [row(1), row(2), row(3)]
const view = (n: number, members = all) => ({ members, status: status(n), alarms: [] })
type Views = Parameters<typeof layOut>[1] extends ReadonlyMap<string, infer V> ? Record<string, V> : never
const lay = (views: Views) => layOut(controlPlanes, new Map(Object.entries(views)))

test('a healthy cluster has three voters, one of them the leader', () => {
  const etcd = lay({ 'k8s-1': view(1), 'k8s-2': view(2), 'k8s-3': view(3) })
  assert.equal(etcd.members[0], {
    node: 'k8s-1',
    id: id(1),
    started: true,
    learner: false,
    leader: false,
    answers: true,
    appliedIndex: 99,
    raftIndex: 100,
    dbSize: '4.1 MB',
    errors: [],
  })
  assert.equal(
    etcd.members.map(({ leader }) => leader),
    [false, true, false],
  )
  assert.equal([etcd.undeclared, etcd.disagreements, etcd.alarms, etcd.unread], [[], [], [], []])
})

test('a node that does not answer is known by its peer address, whatever its member is called', () => {
  const members = [row(1), row(2), row(3, { hostname: 'renamed' })]
  const failed = failure('node-unreachable', { detail: 'no answer' })
  const etcd = lay({ 'k8s-1': view(1, members), 'k8s-2': view(2, members), 'k8s-3': { failures: { status: failed } } })
  assert.equal(etcd.members[2], {
    node: 'k8s-3',
    id: id(3),
    started: true,
    learner: false,
    leader: false,
    answers: false,
    errors: [],
    failure: { ...failed, node: 'k8s-3' },
  })
  assert.equal(etcd.undeclared, [])
})

test('a node that does not answer is known by its host name where the addresses differ', () => {
  const members = [row(1), row(2), row(3, { hostname: 'k8s-3.home.arpa', peerUrls: ['https://[fd00::13]:2380'] })]
  const etcd = lay({ 'k8s-1': view(1, members), 'k8s-2': view(2, members), 'k8s-3': {} })
  assert.is(etcd.members[2]?.id, id(3))
})

test('the member that a node says it is counts more than names and addresses', () => {
  const members = [row(1, { hostname: 'x', peerUrls: ['https://192.168.0.1:2380'] }), row(2), row(3)]
  const etcd = lay({ 'k8s-1': view(1, members), 'k8s-2': view(2, members), 'k8s-3': view(3, members) })
  assert.equal(
    etcd.members.map((member) => member.id),
    [id(1), id(2), id(3)],
  )
})

test('a member that never started is not started, and a learner is a learner', () => {
  const members = [row(1), row(2), row(3, { hostname: '', learner: true })]
  const etcd = lay({ 'k8s-1': view(1, members), 'k8s-2': view(2, members), 'k8s-3': {} })
  assert.equal([etcd.members[2]?.started, etcd.members[2]?.learner], [false, true])
})

test('a declared control plane that no list names has no member', () => {
  const etcd = lay({ 'k8s-1': view(1, [row(1), row(2)]), 'k8s-2': view(2, [row(1), row(2)]), 'k8s-3': {} })
  assert.equal([etcd.members[2]?.id, etcd.members[2]?.started], [undefined, false])
})

test('a member that nobody declared is named', () => {
  const members = [...all, row(4, { hostname: '', peerUrls: ['https://10.0.0.99:2380'], learner: true })]
  const etcd = lay({ 'k8s-1': view(1, members), 'k8s-2': view(2, members), 'k8s-3': view(3, members) })
  assert.equal(etcd.undeclared, [{ id: id(4), hostname: '', learner: true, addresses: ['10.0.0.99'] }])
})

test('lists that differ are told, with how', () => {
  const etcd = lay({ 'k8s-1': view(1), 'k8s-2': view(2, [row(1), row(2)]), 'k8s-3': view(3, [...all, row(4)]) })
  assert.equal(etcd.disagreements, [
    { node: 'k8s-2', detail: 'does not list k8s-3, unlike k8s-1' },
    { node: 'k8s-3', detail: 'lists k8s-4, unlike k8s-1' },
  ])
})

test('a member that one list calls a learner and the other does not is a difference', () => {
  const etcd = lay({ 'k8s-1': view(1), 'k8s-2': view(2, [row(1), row(2), row(3, { learner: true })]), 'k8s-3': {} })
  assert.equal(etcd.disagreements, [
    { node: 'k8s-2', detail: 'lists k8s-3 (a learner) and does not list k8s-3, unlike k8s-1' },
  ])
})

test('one alarm that everyone knows of is one alarm, at its node', () => {
  const alarms = [
    { id: id(2), kind: 'NOSPACE' },
    { id: id(9), kind: 'CORRUPT' },
  ]
  const etcd = lay({ 'k8s-1': { ...view(1), alarms }, 'k8s-2': { ...view(2), alarms }, 'k8s-3': view(3) })
  assert.equal(etcd.alarms, [{ node: 'k8s-2', kind: 'NOSPACE' }, { kind: 'CORRUPT' }])
})

test('alarms and lists that could not be read are named, for whom and why, and are not "none"', () => {
  const late = failure('command-failed', { detail: 'context deadline exceeded' })
  const { alarms: _, ...noAlarms } = view(1)
  const etcd = lay({ 'k8s-1': { ...noAlarms, failures: { alarms: late } }, 'k8s-2': view(2), 'k8s-3': {} })
  assert.equal(
    etcd.unread.map(({ node, what, failure: why }) => `${node} ${what}: ${why.detail ?? why.reason}`),
    ['k8s-1 alarms: context deadline exceeded', 'k8s-3 members: garbage-answer', 'k8s-3 alarms: garbage-answer'],
  )
  assert.is(etcd.members[0]?.failure, undefined)
})

test('a member in an older term does not say who leads', () => {
  const old = { members: all, status: status(3, { raftTerm: 2, leader: id(3) }) }
  assert.equal(
    lay({ 'k8s-3': old, 'k8s-1': view(1), 'k8s-2': view(2) }).members.map(({ leader }) => leader),
    [false, true, false],
  )
})

test('when nobody answers there are no members, and nothing is made up', () => {
  const etcd = lay({ 'k8s-1': {}, 'k8s-2': {}, 'k8s-3': {} })
  assert.ok(etcd.members.every(({ id: own, answers, leader }) => own === undefined && !answers && !leader))
})

test('a machine in maintenance is no member, unless one of its earlier life is listed', () => {
  const waits = { failures: { status: failure('node-in-maintenance') } }
  const two = [row(1), row(2)]
  const fresh = lay({ 'k8s-1': view(1, two), 'k8s-2': view(2, two), 'k8s-3': waits })
  assert.equal(
    fresh.members.map(({ node }) => node),
    ['k8s-1', 'k8s-2'],
  )
  const wiped = lay({ 'k8s-1': view(1), 'k8s-2': view(2), 'k8s-3': waits })
  assert.equal([wiped.members[2]?.id, wiped.members[2]?.answers], [id(3), false])
  assert.is(lay({ 'k8s-1': {}, 'k8s-2': {}, 'k8s-3': waits }).members.length, 3, 'no list was read')
})

/** Asks about etcd; `answers` are by the words of the question. Tells what was asked of whom, too. */
async function observed(answers: Record<string, string>, how: Partial<Parameters<typeof observeEtcd>[2]> = {}) {
  const asked: string[] = []
  const run: Run = async ({ argv }) => {
    const at = argv.indexOf('-n')
    const words = argv
      .slice(at + 2)
      .join(' ')
      .replace(/ -o json$/, '')
    asked.push(`${words} of ${argv[at + 1]}`)
    return commandResult({ stdout: answers[words] ?? '' })
  }
  const endpoints = controlPlanes.map(({ address }) => address)
  const ask = createAsk(
    run,
    { talosconfig: 't' },
    createWays({ endpoints, knock: async () => true, resolve: async () => [] }),
  )
  const etcd = await observeEtcd(ask, controlPlanes, { deadlineAt: performance.now() + 60_000, ...how })
  return { etcd, asked }
}

const statusTable = (
  raised: string,
) => `NODE            MEMBER             DB SIZE   IN USE             LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS
${[1, 2, 3].map((n) => `10.0.0.1${n}       ${id(n)}   106 kB    82 kB (76.92%)     ${id(2)}   100711       2           100710               false     3.6.14     3.6.0     ${raised}\n`).join('')}`

const allRun = { 'k8s-1': 'runs', 'k8s-2': 'runs', 'k8s-3': 'runs' } as const

test('the statuses alone tell who votes and leads, which alarms there are, and start one process', async () => {
  const raised = 'memberID:2 alarm:NOSPACE'
  const { etcd, asked } = await observed({ 'etcd status': statusTable(raised) }, { known: allRun, only: 'status' })
  assert.equal(asked, ['etcd status of 10.0.0.11,10.0.0.12,10.0.0.13'])
  assert.equal(
    etcd.members.map(({ node, id: own, started, leader, errors }) => [node, own, started, leader, errors]),
    [1, 2, 3].map((n) => [`k8s-${n}`, id(n), true, n === 2, [raised]]),
  )
  assert.equal([etcd.undeclared, etcd.disagreements, etcd.unread], [[], [], []])
  assert.equal(etcd.alarms, [{ kind: 'NOSPACE' }])
  assert.ok(votes('k8s-1', etcd, 10), 'an alarm is no reason against a member')
})

test('whose etcd is known to run, or why it can not be asked, is not asked for its services', async () => {
  const silent = failure('node-unreachable', { detail: 'no answer' })
  const { etcd, asked } = await observed({}, { known: { 'k8s-1': 'runs', 'k8s-2': silent } })
  assert.equal(
    asked.filter((question) => question.includes('services')),
    ['get services of 10.0.0.13'],
  )
  assert.not.ok(asked.some((question) => question.includes('10.0.0.12')))
  assert.equal(etcd.members[1]?.failure, { ...silent, node: 'k8s-2' })
})

test('silence about etcd is that of the member: one that hangs keeps a node that is well from answering', async () => {
  const service = (node: string) => `{\n    "metadata": {"id": "etcd"},\n    "node": "${node}",\n    "spec": {}\n}\n`
  const run: Run = async ({ argv }) => {
    const asked = argv[argv.indexOf('-n') + 1]?.split(',') ?? []
    return argv.includes('services')
      ? commandResult({ stdout: asked.map(service).join('') })
      : commandResult({ ended: { by: 'deadline' } })
  }
  const endpoints = controlPlanes.map(({ address }) => address)
  const ways = createWays({ endpoints, knock: async () => true, resolve: async () => [] })
  const ask = createAsk(run, { talosconfig: 't' }, ways)
  const etcd = await observeEtcd(ask, controlPlanes, { deadlineAt: performance.now() + 1000 })
  assert.equal(etcd.members[0]?.failure, {
    reason: 'etcd-member-unhealthy',
    node: 'k8s-1',
    detail: 'no answer about etcd before the deadline',
  })
})

test.run()
