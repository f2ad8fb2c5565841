import { setTimeout } from 'node:timers/promises'
import { ApiError, type LabEtcd } from '../lab-node.ts'
import { type Call, type Method, streaming, unary } from './method.ts'

const empty = 'google.protobuf.Empty'

/** The Etcd* calls of machine.MachineService; only control planes have them. */
export const etcdMethods: Readonly<Record<string, Method>> = {
  '/machine.MachineService/EtcdMemberList': unary<{ query_local: boolean }>(
    { request: 'machine.EtcdMemberListRequest', response: 'machine.EtcdMemberListResponse' },
    async (call, { query_local: local }) => {
      const members = await ofEtcd(call, 'member list', (etcd) => etcd.members({ local }))
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
    async (call) => {
      const status = await ofEtcd(call, 'etcd status', (etcd) => etcd.status())
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
    async (call) => ({
      messages: [{ member_alarms: alarms(await ofEtcd(call, 'etcd alarm list', (etcd) => etcd.alarms())) }],
    }),
  ),
  '/machine.MachineService/EtcdAlarmDisarm': unary<object>(
    { request: empty, response: 'machine.EtcdAlarmDisarmResponse' },
    async (call) => ({
      messages: [{ member_alarms: alarms(await ofEtcd(call, 'etcd alarm disarm', (etcd) => etcd.disarmAlarms())) }],
    }),
  ),
  '/machine.MachineService/EtcdForfeitLeadership': unary<object>(
    { request: empty, response: 'machine.EtcdForfeitLeadershipResponse' },
    async (call) => {
      const member = await ofEtcd(call, 'etcd forfeit leadership', async (etcd) => {
        const members = await etcd.members({ local: true })
        if (members.length === 1) {
          throw new ApiError('UNKNOWN', 'failed to forfeit leadership: cannot forfeit leadership, only one member')
        }
        const leader = await etcd.forfeitLeadership()
        return members.find(({ id }) => id === leader)?.hostname ?? ''
      })
      return { messages: [{ member }] }
    },
  ),
  '/machine.MachineService/EtcdSnapshot': streaming<object>(
    { request: empty, response: 'common.Data' },
    async function* (call) {
      await ofEtcd(call, 'etcd snapshot', (etcd) => etcd.status())
      for await (const bytes of call.node.etcd?.snapshot() ?? []) yield { bytes }
    },
  ),
}

const redialMs = 100

/**
 * What the etcd of the node says. Where none runs machined goes on dialling: only the client's own deadline ends the call,
 * or an etcd that starts.
 */
async function ofEtcd<Answer>(
  { node, signal }: Call,
  api: string,
  ask: (etcd: LabEtcd) => Promise<Answer>,
): Promise<Answer> {
  // Talos internal/app/internal/machinehelper, CheckControlplane
  if (node.etcd === undefined) {
    throw new ApiError('UNIMPLEMENTED', `${api} is only available on control plane nodes`)
  }
  for (;;) {
    try {
      return await ask(node.etcd)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'UNAVAILABLE') throw error
    }
    await setTimeout(redialMs, undefined, { signal })
  }
}

const alarms = (raised: Awaited<ReturnType<LabEtcd['alarms']>>): object[] =>
  raised.map(({ memberId, alarm }) => ({ member_id: memberId, alarm }))
