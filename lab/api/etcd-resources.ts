import { hexMemberId } from './hex-member-id.ts'
import type { ResourceKind } from './resource-kind.ts'

/** EtcdMembers: the node's own member, present while its etcd answers. */
export const etcdResources: ResourceKind = {
  type: 'EtcdMembers.etcd.talos.dev',
  display: 'EtcdMember',
  namespace: 'etcd',
  columns: [['Member ID', '{.memberID}']],
  spec: 'EtcdMemberSpec',
  async items(node) {
    if (node.etcd === undefined) return []
    try {
      const memberId = hexMemberId((await node.etcd.status()).memberId)
      return [{ id: 'local', yaml: { memberID: memberId }, proto: { member_id: memberId } }]
    } catch {
      // no etcd, no resource: Talos removes it when the service stops
      return []
    }
  },
}
