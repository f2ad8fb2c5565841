import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { allThatIsDenied } from '../../../scripts/cluster/all-that-is-denied.ts'
import type { OpenCluster } from '../../../scripts/cluster/open-cluster.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { Right } from '../../../workflows/model/kubernetes.ts'
import { forbidden } from '../../../workflows/plan/missing-access.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'

const { cluster } = fakeCluster(['a'])
const lease = { verb: 'get', resource: 'leases', group: 'coordination.k8s.io', namespace: 'kube-system', user: 'ci' }
const node = { verb: 'list', resource: 'nodes', group: '', user: 'ci' }

const reviewing = (may: (right: Right) => boolean) => {
  let asked = 0
  const review = async (rights: readonly Right[]) => {
    asked++
    const denied = rights.filter((right) => !may(right)).map((right) => ({ ...right, user: 'ci' }))
    return { ok: true as const, value: { now: '', denied } }
  }
  return { session: { cluster, kubernetes: { review } } as unknown as OpenCluster, asked: () => asked }
}

for (const [what, first] of [
  ['the Lease', lease],
  ['the look', node],
] as const)
  test(`one who may nothing, and was denied ${what} first, is told of both roles at once`, async () => {
    const { session } = reviewing(() => false)
    const { manifest = '' } = await allThatIsDenied(session, forbidden([first]))
    assert.equal([...manifest.matchAll(/^kind: (.*)$/gm)].map(([, kind]) => kind).sort(), [
      'ClusterRole',
      'ClusterRoleBinding',
      'Role',
      'RoleBinding',
    ])
  })

test('one who lacks the Lease alone is told of its Role alone', async () => {
  const { session } = reviewing(({ resource }) => resource !== 'leases')
  const { manifest = '' } = await allThatIsDenied(session, forbidden([lease]))
  assert.not.match(manifest, 'ClusterRole')
})

test('of any other failure nothing is asked', async () => {
  const { session, asked } = reviewing(() => false)
  const why = failure('kubernetes-unreachable')
  assert.is(await allThatIsDenied(session, why), why)
  assert.is(asked(), 0)
})

test.run()
