import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cluster } from '../../../workflows/model/cluster.ts'
import { planInputs } from '../../../workflows/plan/plan-inputs.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'

const { cluster } = fakeCluster(['a', 'b', 'c'])
const { operations } = cluster
const { upgrade, etcd, drain, deadlines } = operations
const withOperations = (more: Partial<Cluster['operations']>): Cluster => ({
  ...cluster,
  operations: { ...operations, ...more },
})

const rows: [what: string, changed: Cluster, isOther: boolean][] = [
  ['another release', { ...cluster, talosVersion: 'v1.13.10' }, true],
  ['another address', { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, address: '127.9.9.9' })) }, true],
  ['another form of configurations', { ...cluster, talosContract: 'v1.13' }, false],
  ['more workers at once', withOperations({ upgrade: { ...upgrade, maxUnavailable: 2 } }), true],
  ['a longer soak', withOperations({ upgrade: { ...upgrade, soakMs: 1 } }), false],
  ['an outage that is accepted', withOperations({ etcd: { ...etcd, acceptOutage: true } }), true],
  ['more snapshots', withOperations({ etcd: { ...etcd, keepSnapshots: 9 } }), false],
  ['another bound for the lag', withOperations({ etcd: { ...etcd, lagBound: 9 } }), false],
  ['pods that are deleted', withOperations({ drain: { ...drain, disableEviction: true } }), true],
  ['a longer drain', withOperations({ drain: { ...drain, timeoutMs: 1, detachMs: 1 } }), false],
  ['a gate', withOperations({ gates: [{ name: 'g', resource: 'pod/p', for: 'delete', timeoutMs: 1 }] }), true],
  ['no Lease', withOperations({ access: { lease: 'skip' } }), true],
  ['other deadlines', withOperations({ deadlines: { ...deadlines, rebootMs: 1 } }), false],
  ['a command after the run', withOperations({ after: 'true' }), false],
]

for (const [what, changed, isOther] of rows)
  test(`${what} ${isOther ? 'makes another plan' : 'leaves a plan as it is'}`, () => {
    const [before, after] = [cluster, changed].map((one) => JSON.stringify(planInputs(one)))
    assert.is(before !== after, isOther)
  })

test.run()
