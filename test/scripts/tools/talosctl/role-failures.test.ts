import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deniedOnce, roleFailures } from '../../../../scripts/tools/talosctl/role-failures.ts'
import { failure } from '../../../../workflows/model/failure.ts'

const role = (...roles: string[]) => ({ roles, talosconfig: '/c/talosconfig' })
const denied = ['a', 'b', 'c'].map((node) => failure('permission-denied', { node, detail: 'not authorized' }))
const says = (failures: readonly { detail?: string }[]) => failures.map(({ detail }) => detail)

test('what changes nodes is for administrators', () => {
  assert.equal(says(roleFailures(role(), 'reboot')), ['/c/talosconfig has no role, and a reboot needs os:admin'])
  assert.equal(roleFailures(role('os:admin'), 'upgrade'), [])
  assert.equal(says(roleFailures(role('os:reader'), 'upgrade')), [
    '/c/talosconfig has the role os:reader, and an upgrade needs os:admin',
  ])
  assert.equal(says(roleFailures(role('os:operator', 'os:etcd:backup'), 'upgrade')), [
    '/c/talosconfig has the role os:operator, os:etcd:backup, and an upgrade needs os:admin',
  ])
  assert.equal(says(roleFailures(role(), 'upgrade')), ['/c/talosconfig has no role, and an upgrade needs os:admin'])
})

test('what nodes refuse because of the role is told once', () => {
  const more = failure('kubeconfig-unusable', { detail: 'not authorized' })
  assert.equal(says(deniedOnce([...denied, more], role('os:reader'))), [
    '/c/talosconfig has the role os:reader, and what was asked needs os:admin',
  ])
})

test('other reasons, and what an administrator is refused, stay as they are', () => {
  for (const [failures, roles] of [
    [denied, 'os:admin'],
    [[failure('node-unreachable', { node: 'a' })], 'os:reader'],
    [[failure('permission-denied', { detail: 'of Kubernetes' })], 'os:reader'],
  ] as const)
    assert.is(deniedOnce(failures, role(roles)), failures)
})

test.run()
