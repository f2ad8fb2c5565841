import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAllDocuments } from 'yaml'
import { allRights, alsoForbidden, deniedIn, forbidden } from '../../../workflows/plan/missing-access.ts'

const ci = 'system:serviceaccount:ops:ci'
const cannot = (what: string, resource: string, group: string, where: string, user = ci) =>
  `Error from server (Forbidden): ${resource} is forbidden: User "${user}" cannot ${what} resource "${resource}" in API group "${group}" ${where}`
const everywhere = 'at the cluster scope'
const leases = cannot('get', 'leases', 'coordination.k8s.io', 'in the namespace "kube-system"')
const rook = cannot('list', 'cephclusters', 'ceph.rook.io', 'in the namespace "rook-ceph"')

type Role = {
  kind: string
  metadata: { name: string; namespace?: string }
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
  subjects?: object[]
}

const rows: [what: string, said: string, detail: string, objects: string[]][] = [
  [
    'the Lease: a Role in kube-system',
    leases,
    `the kubeconfig's user ${ci} may not get leases in kube-system`,
    ['Role kube-system/talos-workflows', 'RoleBinding kube-system/talos-workflows'],
  ],
  [
    'several kinds of one read: one ClusterRole with all that a run asks',
    [
      cannot('list', 'nodes', '', everywhere),
      cannot('list', 'poddisruptionbudgets', 'policy', everywhere),
      cannot('list', 'nodes', '', everywhere),
    ].join('\n'),
    `the kubeconfig's user ${ci} may not list nodes, nor list poddisruptionbudgets`,
    ['ClusterRole talos-workflows', 'ClusterRoleBinding talos-workflows'],
  ],
  [
    'an eviction in some namespace: everywhere, since pods are everywhere',
    `error when evicting pods/"web-1" -n "shop": pods "web-1" is forbidden: User "${ci}" cannot create resource "pods/eviction" in API group "" in the namespace "shop"`,
    `the kubeconfig's user ${ci} may not create pods/eviction in shop`,
    ['ClusterRole talos-workflows', 'ClusterRoleBinding talos-workflows'],
  ],
  [
    'what a gate looks at: a Role of its own beside the Lease',
    [leases, rook].join('\n'),
    `the kubeconfig's user ${ci} may not get leases in kube-system, nor list cephclusters in rook-ceph`,
    [
      'Role kube-system/talos-workflows',
      'RoleBinding kube-system/talos-workflows',
      'Role rook-ceph/talos-workflows-cephclusters',
      'RoleBinding rook-ceph/talos-workflows-cephclusters',
    ],
  ],
]

const objectsIn = (manifest = '') => parseAllDocuments(manifest).map((document) => document.toJS() as Role)

for (const [what, said, detail, names] of rows)
  test(`what is missing for ${what}`, () => {
    const failure = forbidden(deniedIn(said))
    assert.is(failure.detail, detail)
    const objects = objectsIn(failure.manifest)
    assert.equal(
      objects.map(({ kind, metadata: { namespace, name } }) => `${kind} ${namespace ? `${namespace}/` : ''}${name}`),
      names,
    )
    for (const { subjects } of objects.filter(({ kind }) => kind.endsWith('Binding')))
      assert.equal(subjects, [{ kind: 'ServiceAccount', name: 'ci', namespace: 'ops' }])
  })

test('a right of which one is missing is asked for with all that goes with it', () => {
  const [role] = objectsIn(forbidden(deniedIn(leases)).manifest)
  assert.equal(role?.rules, [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update', 'delete'] },
  ])
  const [gate] = objectsIn(forbidden(deniedIn(rook)).manifest)
  assert.equal(gate?.rules?.[0]?.verbs, ['get', 'list', 'watch'])
})

test('what was denied first is told with all else that is missing, each role once', () => {
  const first = forbidden(deniedIn(leases))
  const denied = deniedIn(cannot('list', 'nodes', '', everywhere))
  const all = alsoForbidden(first, [...deniedIn(leases), ...denied])
  assert.equal(
    objectsIn(all.manifest).map(({ kind }) => kind),
    ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  )
  assert.match(all.detail ?? '', 'list nodes')
  assert.equal(alsoForbidden(first, []), first)
})

test('one who was denied something is asked after all that a run does', () => {
  const asked = allRights({ access: { lease: 'keep' }, drain: { enabled: true, disableEviction: false } } as never)
  const role = objectsIn(
    forbidden([...deniedIn(leases), ...deniedIn(cannot('list', 'nodes', '', everywhere))]).manifest,
  )
  for (const { apiGroups = [], resources = [], verbs = [] } of role.flatMap(({ rules }) => rules ?? []))
    for (const verb of verbs)
      assert.ok(
        asked.some(
          (right) => right.verb === verb && resources.includes(right.resource) && apiGroups.includes(right.group),
        ),
        `${verb} ${resources}`,
      )
})

test('a person is bound by name, and what is no denial is none', () => {
  const [, binding] = objectsIn(
    forbidden(deniedIn(cannot('patch', 'nodes', '', everywhere, 'jane@example.com'))).manifest,
  )
  assert.equal(binding?.subjects, [{ kind: 'User', name: 'jane@example.com', apiGroup: 'rbac.authorization.k8s.io' }])
  assert.equal(deniedIn('Error from server (Forbidden): admission webhook "x" denied the request: not now'), [])
})

test.run()
