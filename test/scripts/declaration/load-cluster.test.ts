import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadCluster } from '../../../scripts/declaration/load-cluster.ts'

const test = suite<{ dir: string }>('declaration')

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'declaration-'))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true }))

function declare(dir: string, name: string, files: Record<string, string>): void {
  mkdirSync(join(dir, 'clusters', name), { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, 'clusters', name, file), text)
}

const talenv = `cluster:
  name: cluster-7
  id: 7
  endpoint: https://10.0.0.10:6443
  talosVersion: v1.13.9
  kubernetesVersion: v1.36.1
nodes:
  - {hostname: cp-1, ipAddress: 10.0.0.11, controlPlane: true}
`

test('finds the example of this package without a folder, by number and by name', () => {
  for (const id of ['101', 'cluster-101']) {
    const loaded = loadCluster(undefined, id)
    assert.ok(loaded.ok)
    assert.is(loaded.value.cluster.name, 'cluster-101')
    assert.equal(
      loaded.value.cluster.nodes.map(({ name, address, role }) => `${name} ${address} ${role}`),
      ['k8s-1 127.0.101.11 controlplane', 'k8s-2 127.0.101.12 controlplane', 'k8s-3 127.0.101.13 controlplane'],
    )
    assert.match(loaded.value.layout.folder, /clusters[/\\]cluster-101$/)
  }
})

test('reads the policy beside the cluster', ({ dir }) => {
  declare(dir, 'cluster-7', { 'talenv.yaml': talenv, 'operations.yaml': 'etcd: {lagBound: 5}\n' })
  const loaded = loadCluster(dir, '7')
  assert.ok(loaded.ok)
  assert.is(loaded.value.cluster.operations.etcd.lagBound, 5)
})

test('names the clusters that do exist', ({ dir }) => {
  declare(dir, 'cluster-7', { 'talenv.yaml': talenv })
  declare(dir, 'cluster-70', { 'talenv.yaml': '' })
  declare(dir, 'cluster-empty', {})
  const loaded = loadCluster(dir, '71')
  if (loaded.ok) return assert.unreachable('it should not load')
  assert.is(loaded.failure.length, 1)
  assert.is(loaded.failure[0]?.reason, 'cluster-unknown')
  assert.match(loaded.failure[0]?.detail ?? '', /does not declare cluster-71; it declares cluster-7, cluster-70$/)
  assert.match(loaded.failure[0]?.hint ?? '', /^--cluster 7/)
})

test('does not propose a cluster that has nothing in common with the one that was asked for', () => {
  const loaded = loadCluster(undefined, '999')
  if (loaded.ok) return assert.unreachable('it should not load')
  assert.is(loaded.failure[0]?.hint, undefined)
})

test('does not look outside of the clusters folder', ({ dir }) => {
  writeFileSync(join(dir, 'talenv.yaml'), talenv)
  mkdirSync(join(dir, 'clusters', 'cluster-x'), { recursive: true })
  const loaded = loadCluster(dir, 'cluster-x/../..')
  if (loaded.ok) return assert.unreachable('it should not load')
  assert.is(loaded.failure[0]?.reason, 'cluster-unknown')
})

test('turns every mistake into a failure that says where it stands', ({ dir }) => {
  declare(dir, 'cluster-7', {
    'talenv.yaml': talenv.replace('10.0.0.11', '10.0.0'),
    'operations.yaml': 'upgrade: {maxUnavailble: 2}\n',
  })
  const loaded = loadCluster(dir, '7')
  if (loaded.ok) return assert.unreachable('it should not load')
  assert.equal(
    loaded.failure.map(({ reason, detail, hint }) => [reason, detail?.replace(`${dir}/clusters/cluster-7/`, ''), hint]),
    [
      ['declaration-invalid', 'talenv.yaml:8:33: nodes[0].ipAddress "10.0.0" is not an IP address', undefined],
      [
        'declaration-invalid',
        'operations.yaml:1:11: upgrade.maxUnavailble is not a known key',
        'did you mean maxUnavailable?',
      ],
    ],
  )
})

test.run()
