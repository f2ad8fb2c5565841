import { ApiError, type LabEtcd, type LabNode } from '../lab-node.ts'
import { type Method, streaming, unary } from './method.ts'

const empty = 'google.protobuf.Empty'

/** The Etcd* calls of machine.MachineService; only control planes have them. */
export const etcdMethods: Readonly<Record<string, Method>> = {
  '/machine.MachineService/EtcdMemberList': unary<object>(
    { request: 'machine.EtcdMemberListRequest', response: 'machine.EtcdMemberListResponse' },
    async ({ node }) => {
      const members = await etcdOf(node, 'member list').members()
      return {
        messages: [
          {
            legacy_members: members.map(({ hostname }) => hostname),
            members: members.map(({ id, hostname, peerUrls, clientUrls, learner }) => ({
              id,
              hostname,
              peer_urls: peerUrls,
              client_urls: clientUrls,
              is_learner: learner,
            })),
          },
        ],
      }
    },
  ),
  '/machine.MachineService/EtcdStatus': unary<object>(
    { request: empty, response: 'machine.EtcdStatusResponse' },
    async ({ node }) => {
      const status = await etcdOf(node, 'etcd status').status()
      return {
        messages: [
          {
            member_status: {
              member_id: status.memberId,
              protocol_version: status.protocolVersion,
              storage_version: status.storageVersion,
              db_size: status.dbSize,
              db_size_in_use: status.dbSizeInUse,
              leader: status.leader,
              raft_index: status.raftIndex,
              raft_term: status.raftTerm,
              raft_applied_index: status.raftAppliedIndex,
              errors: status.errors,
              is_learner: status.learner,
            },
          },
        ],
      }
    },
  ),
  '/machine.MachineService/EtcdAlarmList': unary<object>(
    { request: empty, response: 'machine.EtcdAlarmListResponse' },
    async ({ node }) => ({ messages: [{ member_alarms: alarms(await etcdOf(node, 'etcd alarm list').alarms()) }] }),
  ),
  '/machine.MachineService/EtcdAlarmDisarm': unary<object>(
    { request: empty, response: 'machine.EtcdAlarmDisarmResponse' },
    async ({ node }) => ({
      messages: [{ member_alarms: alarms(await etcdOf(node, 'etcd alarm disarm').disarmAlarms()) }],
    }),
  ),
  '/machine.MachineService/EtcdForfeitLeadership': unary<object>(
    { request: empty, response: 'machine.EtcdForfeitLeadershipResponse' },
    async ({ node }) => {
      const etcd = etcdOf(node, 'etcd forfeit leadership')
      const members = await etcd.members()
      if (members.length === 1) {
        throw new ApiError('UNKNOWN', 'failed to forfeit leadership: cannot forfeit leadership, only one member')
      }
      const leader = await etcd.forfeitLeadership()
      return { messages: [{ member: members.find(({ id }) => id === leader)?.hostname ?? '' }] }
    },
  ),
  '/machine.MachineService/EtcdSnapshot': streaming<object>(
    { request: empty, response: 'common.Data' },
    async function* ({ node }) {
      for await (const bytes of etcdOf(node, 'etcd snapshot').snapshot()) yield { bytes }
    },
  ),
}

/** Talos internal/app/internal/machinehelper, CheckControlplane. */
function etcdOf(node: LabNode, api: string): LabEtcd {
  if (node.etcd === undefined) {
    throw new ApiError('UNIMPLEMENTED', `${api} is only available on control plane nodes`)
  }
  return node.etcd
}

const alarms = (raised: Awaited<ReturnType<LabEtcd['alarms']>>): object[] =>
  raised.map(({ memberId, alarm }) => ({ member_id: memberId, alarm }))
