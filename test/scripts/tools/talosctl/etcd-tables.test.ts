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

test('reads whose list it is, and members that never started', () => {
  const rows = readMembers(members)
  assert.equal([...rows.keys()], ['127.181.17.11', '127.181.17.12'])
  assert.equal(rows.get('127.181.17.11'), [
    { id: '28e6426f1d9d2f57', hostname: 'k8s-1', peerUrls: ['http://127.181.17.11:2380'], learner: false },
    { id: '3db30c2d85376454', hostname: '', peerUrls: ['http://127.0.0.2:23800'], learner: true },
  ])
})

test('reads what members say about themselves, with errors and without', () => {
  const rows = readStatus(status)
  assert.equal(rows.get('127.128.65.11'), {
    id: 'fd7c788829187afc',
    dbSize: '106 kB',
    leader: 'fd7c788829187afc',
    raftIndex: 100711,
    raftTerm: 2,
    appliedIndex: 100710,
    learner: false,
    errors: ['memberID:1802258912750571254 alarm:NOSPACE'],
  })
  assert.equal(rows.get('127.128.65.13')?.errors, [])
})

test('reads a table without a NODE column for the node that was asked', () => {
  const nodeless = status.replaceAll(/^.{16}/gm, '')
  assert.is(readStatus(nodeless, '10.0.0.1').get('10.0.0.1')?.raftIndex, 100711)
  assert.is(readStatus(nodeless).size, 0)
})

test('reads alarms, and none from an empty output', () => {
  assert.equal(readAlarms(alarms).get('127.128.65.12'), [{ id: '1902e8eeafc78ef6', kind: 'NOSPACE' }])
  assert.is(readAlarms('').size, 0)
})

test('a status whose numbers are none is no status', () => {
  assert.is(readStatus(status.replace('100711       2           100710', 'nonsense     2           100710')).size, 1)
})

test('rows without a header are not guessed', () => {
  assert.is(readMembers(members.split('\n').slice(1).join('\n')).size, 0)
})

test.run()
