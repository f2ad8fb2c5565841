import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readAlarms, readMembers, readStatus } from '../../../../scripts/tools/talosctl/etcd-tables.ts'

const test = suite("etcd's tables")

// Printed by talosctl 1.13.9; a member that was added and never started has no host name and no client URLs.
const members = `NODE            ID                 HOSTNAME   PEER URLS                   CLIENT URLS                 LEARNER
127.181.17.11   28e6426f1d9d2f57   k8s-1      http://127.181.17.11:2380   http://127.181.17.11:2379   false
127.181.17.11   3db30c2d85376454              http://127.0.0.2:23800                                  true
127.181.17.12   28e6426f1d9d2f57   k8s-1      http://127.181.17.11:2380   http://127.181.17.11:2379   false
`
const status = `NODE            MEMBER             DB SIZE   IN USE             LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS
127.128.65.11   fd7c788829187afc   106 kB    82 kB (76.92%)     fd7c788829187afc   100711       2           100710               false     3.6.14     3.6.0     memberID:1802258912750571254 alarm:NOSPACE 
127.128.65.13   bc4933965e6e408d   106 kB    106 kB (100.00%)   fd7c788829187afc   100711       2           100711               false     3.6.14     3.6.0     
`
const alarms = `NODE            MEMBER             ALARM
127.128.65.11   1902e8eeafc78ef6   NOSPACE
127.128.65.12   1902e8eeafc78ef6   NOSPACE
`
const two = ['127.128.65.11', '127.128.65.13']

// Printed by talosctl 1.14.1 while the node in the middle answered two seconds after the others.
const three = ['127.34.43.11', '127.34.43.12', '127.34.43.13']
const lateMembers = `NODE           ID                 HOSTNAME   PEER URLS                  CLIENT URLS                LEARNER
127.34.43.13   3ca77bafc2113c09   k8s-2      http://127.34.43.12:2380   http://127.34.43.12:2379   false
127.34.43.13   af3fbb904aad20d9   k8s-1      http://127.34.43.11:2380   http://127.34.43.11:2379   false
127.34.43.13   b4f21af68e764314              http://127.0.0.2:23800                                true
127.34.43.13   da3f84a1c875f476   k8s-3      http://127.34.43.13:2380   http://127.34.43.13:2379   false
127.34.43.11   3ca77bafc2113c09   k8s-2      http://127.34.43.12:2380   http://127.34.43.12:2379   false
127.34.43.11   af3fbb904aad20d9   k8s-1      http://127.34.43.11:2380   http://127.34.43.11:2379   false
127.34.43.11   b4f21af68e764314              http://127.0.0.2:23800                                true
127.34.43.11   da3f84a1c875f476   k8s-3      http://127.34.43.13:2380   http://127.34.43.13:2379   false
127.34.43.12   3ca77bafc2113c09   k8s-2   http://127.34.43.12:2380   http://127.34.43.12:2379   false
127.34.43.12   af3fbb904aad20d9   k8s-1   http://127.34.43.11:2380   http://127.34.43.11:2379   false
127.34.43.12   b4f21af68e764314           http://127.0.0.2:23800                                true
127.34.43.12   da3f84a1c875f476   k8s-3   http://127.34.43.13:2380   http://127.34.43.13:2379   false
`
const lateStatus = `NODE           MEMBER             DB SIZE   IN USE           LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS
127.34.43.11   af3fbb904aad20d9   90 kB     70 kB (77.27%)   3ca77bafc2113c09   100526       2           100526               false     3.6.14     3.6.0     memberID:15726434254188835958 alarm:NOSPACE 
127.34.43.13   da3f84a1c875f476   61 kB     61 kB (100.00%)   3ca77bafc2113c09   100526       2           100526               false     3.6.14     3.6.0     
127.34.43.12   3ca77bafc2113c09   66 kB   66 kB (100.00%)   3ca77bafc2113c09   100175   2   100175   false   3.6.14   3.6.0   
`

// Printed by talosctl 1.13.9 about a control plane that runs etcd 3.7.1 between two with 3.6.14; so does 1.14.1.
const halfUpgraded = `NODE           MEMBER             DB SIZE   IN USE           LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS
127.32.92.11   f134b4d353997717   41 kB     33 kB (80.00%)   0d579bfcd565fc7b   100066       2           100066               false     3.6.14     3.6.0     memberID:961408555681184891 alarm:NOSPACE 
127.32.92.12   0d579bfcd565fc7b   41 kB     25 kB (60.00%)   0d579bfcd565fc7b   100066       2           100066               false     3.7.1      3.6.0     memberID:961408555681184891  alarm:NOSPACE
127.32.92.13   854ee20f16c22ac1   41 kB     37 kB (90.00%)   0d579bfcd565fc7b   100066       2           100066               false     3.6.14     3.6.0     memberID:961408555681184891 alarm:NOSPACE 
`

type Answers<T> = ReadonlyMap<string, { ok: true; value: T } | { ok: false; failure: { reason: string } }>
const of = <T>(told: Answers<T>, node: string): T | string | undefined => {
  const own = told.get(node)
  return own?.ok ? own.value : own?.failure.reason
}

test('reads whose list it is, and members that never started', () => {
  const told = readMembers(['127.181.17.11', '127.181.17.12', '127.181.17.13'], members)
  assert.equal([...told.keys()], ['127.181.17.11', '127.181.17.12'])
  assert.equal(of(told, '127.181.17.11'), [
    { id: '28e6426f1d9d2f57', hostname: 'k8s-1', peerUrls: ['http://127.181.17.11:2380'], learner: false },
    { id: '3db30c2d85376454', hostname: '', peerUrls: ['http://127.0.0.2:23800'], learner: true },
  ])
})

test('reads what members say about themselves, with errors and without', () => {
  const told = readStatus(two, status)
  assert.equal(of(told, '127.128.65.11'), {
    id: 'fd7c788829187afc',
    dbSize: '106 kB',
    leader: 'fd7c788829187afc',
    raftIndex: 100711,
    raftTerm: 2,
    appliedIndex: 100710,
    learner: false,
    errors: ['memberID:1802258912750571254 alarm:NOSPACE'],
  })
  const other = told.get('127.128.65.13')
  assert.equal(other?.ok && other.value.errors, [])
})

test('reads rows that came too late to stand below the header, as talosctl 1.14 prints them', () => {
  const told = readMembers(three, lateMembers)
  assert.equal(of(told, '127.34.43.12'), of(told, '127.34.43.11'))
  assert.equal(of(told, '127.34.43.12'), of(told, '127.34.43.13'))
  const late = readStatus(three, lateStatus).get('127.34.43.12')
  assert.equal(late?.ok && { ...late.value }, {
    id: '3ca77bafc2113c09',
    dbSize: '66 kB',
    leader: '3ca77bafc2113c09',
    raftIndex: 100175,
    raftTerm: 2,
    appliedIndex: 100175,
    learner: false,
    errors: [],
  })
})

test('reads one error in the words of etcd 3.6 and of 3.7', () => {
  const told = readStatus(['127.32.92.11', '127.32.92.12', '127.32.92.13'], halfUpgraded)
  for (const row of told.values())
    assert.equal(row.ok && row.value.errors, ['memberID:961408555681184891 alarm:NOSPACE'])
  assert.is(told.size, 3)
})

test('reads a member that tells no versions of its protocol and storage', () => {
  const without = status.replaceAll('3.6.14     3.6.0', '                ')
  const told = readStatus(two, without).get('127.128.65.11')
  assert.equal(told?.ok && told.value.errors, ['memberID:1802258912750571254 alarm:NOSPACE'])
})

test('reads a table without a NODE column for the node that was asked', () => {
  const nodeless = status
    .split('\n')
    .slice(0, 2)
    .join('\n')
    .replaceAll(/^.{16}/gm, '')
  const told = readStatus(['10.0.0.1'], nodeless).get('10.0.0.1')
  assert.is(told?.ok && told.value.raftIndex, 100711)
  for (const node of two) assert.is(of(readStatus(two, nodeless), node), 'garbage-answer')
})

test('reads alarms, and none from an output without rows', () => {
  const asked = ['127.128.65.11', '127.128.65.12']
  assert.equal(of(readAlarms(asked, alarms), '127.128.65.12'), [{ id: '1902e8eeafc78ef6', kind: 'NOSPACE' }])
  assert.is(readAlarms(asked, '').size, 0)
  assert.is(readMembers(asked, 'NODE   ID   HOSTNAME   PEER URLS   CLIENT URLS   LEARNER\n').size, 0)
})

for (const [what, spoilt] of [
  ['numbers that are none', status.replace('100711       2           100710', 'nonsense     2           100710')],
  ['a member id that is none', status.replace('fd7c788829187afc   106', 'fd7c             106')],
  ['a cell too few', status.replace('100710               false', 'false')],
  ['one row twice', `${status}${status.split('\n')[1]}\n`],
] as const)
  test(`${what}: the status of that node can not be read, and that of the other is`, () => {
    const told = readStatus(two, spoilt)
    assert.is(of(told, '127.128.65.11'), 'garbage-answer')
    assert.ok(told.get('127.128.65.13')?.ok)
  })

test('an alarm in words that nobody knows is not passed over', () => {
  const asked = ['127.128.65.11', '127.128.65.12']
  const told = readAlarms(asked, alarms.replace('NOSPACE', 'no space left'))
  assert.is(of(told, '127.128.65.11'), 'garbage-answer')
  assert.ok(told.get('127.128.65.12')?.ok)
})

for (const [what, spoilt] of [
  ['rows without a header', members.split('\n').slice(1).join('\n')],
  ['a header with other titles', members.replace('LEARNER', 'IS LEARNER')],
  ['a row of a node that nobody asked', `${members}10.0.0.9        28e6426f1d9d2f57   k8s-1   http://x:1   false\n`],
  ['a line that is no row', `${members}deprecated, use get etcdmembers\n`],
] as const)
  test(`${what}: no list of the table is believed`, () => {
    const asked = ['127.181.17.11', '127.181.17.12']
    for (const node of asked) assert.is(of(readMembers(asked, spoilt), node), 'garbage-answer')
  })

test.run()
