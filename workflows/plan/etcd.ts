/** The arithmetic of etcd: why a control plane may not be taken down now. Talos ≥ 1.13 checks none of this (internal/app/lifecycle). */
import { AGAIN } from '../model/again.ts'
import type { NodeName } from '../model/cluster.ts'
import { FAILURES, type Failure, failure } from '../model/failure.ts'
import type { EtcdMember, EtcdObservation } from '../model/observation.ts'

export type EtcdPolicy = { lagBound: number; acceptOutage: boolean }

export const quorum = (members: number): number => Math.floor(members / 2) + 1

/** Entries that a member is behind the furthest one; 0 where nothing was read. */
export function lagOf(member: EtcdMember, etcd: EtcdObservation): number {
  const front = Math.max(0, ...etcd.members.map((m) => m.raftIndex ?? 0))
  return Math.max(0, front - (member.appliedIndex ?? front))
}

/** Started, votes, answers, reports no error, and has applied what the others have. */
export const isHealthyVoter = (member: EtcdMember, etcd: EtcdObservation, lagBound: number): boolean =>
  memberObjections(member, etcd, lagBound).length === 0

/** Whether the member of that node is there, and is a healthy voter. */
export const votes = (node: NodeName, etcd: EtcdObservation, lagBound: number): boolean =>
  etcd.members.some((member) => member.node === node && isHealthyVoter(member, etcd, lagBound))

/** What keeps the member of that node from voting, in a few words. */
export function whyNoVote(node: NodeName, etcd: EtcdObservation): string {
  const member = etcd.members.find((one) => one.node === node)
  if (!member?.answers) return member?.failure?.detail ?? 'its member does not answer'
  if (member.learner) return 'a learner'
  return member.errors.join('; ') || `${lagOf(member, etcd)} entries behind`
}

/** How many members there are: a declared control plane that has not joined is none. */
export const memberCount = (etcd: Pick<EtcdObservation, 'members'>): number =>
  etcd.members.length - notJoined(etcd).length

/** Whether the member of that node leads. */
export const leads = (node: NodeName, { members }: Pick<EtcdObservation, 'members'>): boolean =>
  members.some((member) => member.node === node && member.answers && member.leader)

/**
 * Whether of all members only that of the node is unwell, so that taking it down costs nothing and may be the cure. What is no
 * member at all is not unwell.
 */
const onlyItselfUnwell = (node: NodeName, etcd: EtcdObservation, policy: EtcdPolicy): boolean =>
  etcd.members.some((member) => member.node === node) &&
  !votes(node, etcd, policy.lagBound) &&
  etcdObjections(node, etcd, policy).length === 0

/**
 * Whether the check of etcd by the node itself, below Talos 1.13, may be skipped: it refuses two members, the outage of which the
 * person accepted, and a node whose own member is all that is unwell, which an upgrade may cure (ValidateForUpgrade,
 * internal/pkg/etcd/etcd.go).
 */
export const mayBeForced = (node: NodeName, etcd: EtcdObservation, policy: EtcdPolicy, wasRefused: boolean): boolean =>
  (policy.acceptOutage && memberCount(etcd) === 2) || (wasRefused && onlyItselfUnwell(node, etcd, policy))

/** Control planes whose etcd does not run, and that no list of members names: nothing of an earlier life is left of them. */
export function notJoined({ members }: Pick<EtcdObservation, 'members'>): NodeName[] {
  // where no list could be read, nobody is named
  const isListed = ({ id }: EtcdMember): boolean => id !== undefined
  if (!members.some(isListed)) return []
  return members.filter((member) => !isListed(member) && !member.answers).map(({ node }) => node)
}

/** Why `member` does not count as a healthy voter; empty when it does. */
function memberObjections(member: EtcdMember, etcd: EtcdObservation, lagBound: number): Failure[] {
  const { node } = member
  if (notJoined(etcd).includes(node)) {
    return [
      failure('etcd-not-joined', {
        node,
        detail: 'it has not joined etcd yet',
        hint: `talosctl -n ${node} logs etcd # tells what it waits for`,
      }),
    ]
  }
  if (!member.answers) {
    return [
      failure('etcd-member-unhealthy', {
        node,
        detail: member.failure?.detail ?? 'its etcd member does not answer',
        hint: `talosctl -n ${node} service etcd`,
      }),
    ]
  }
  if (member.id === undefined)
    return [failure('etcd-member-missing', { node, hint: `talosctl -n ${node} etcd members` })]
  if (!member.started)
    return [
      failure('etcd-member-unhealthy', {
        node,
        detail: 'its etcd member was added and never started',
        hint: `talosctl -n ${node} etcd members`,
      }),
    ]
  if (member.learner) return [failure('etcd-learner', { node, hint: `talosctl -n ${node} etcd members` })]
  const errors = member.errors.filter((error) => !(etcd.alarms.length > 0 && isEcho(error)))
  if (errors.length > 0) {
    return [
      failure('etcd-member-unhealthy', {
        node,
        detail: errors.join('; '),
        hint: `talosctl -n ${node} etcd status`,
      }),
    ]
  }
  const behind = lagOf(member, etcd)
  if (behind > lagBound)
    return [
      failure('etcd-member-behind', {
        node,
        detail: `${behind} entries behind, ${lagBound} are allowed`,
        hint: `talosctl -n ${node} etcd status`,
      }),
    ]
  return []
}

/** Every member repeats every alarm among its errors (etcd: v3rpc/maintenance.go), as `memberID:1 alarm:NOSPACE`. */
const isEcho = (error: string): boolean => /^memberID:\d+ alarm:\w+/.test(error)

/**
 * Why `node` may not be taken down now; empty when it may. The target itself may be broken: taking it down may be the cure.
 * A cluster of one or two members needs `acceptOutage`, because quorum is lost whenever a member is down.
 */
export function etcdObjections(node: NodeName, etcd: EtcdObservation, policy: EtcdPolicy): Failure[] {
  const others = etcd.members.filter((m) => m.node !== node)
  const votes = memberCount(etcd)
  const remaining = others.filter((m) => isHealthyVoter(m, etcd, policy.lagBound)).length
  return [
    ...others.flatMap((m) => memberObjections(m, etcd, policy.lagBound)),
    ...etcd.disagreements
      .filter((d) => d.node !== node)
      .map((d) =>
        failure('etcd-members-disagree', {
          node: d.node,
          detail: d.detail,
          hint: `talosctl -n ${d.node} etcd members`,
        }),
      ),
    ...unreadObjections(node, etcd),
    ...etcd.undeclared.map((m) =>
      failure(m.learner ? 'etcd-learner' : 'etcd-member-unknown', {
        detail: `member ${m.id} (${m.hostname || 'never started'}) belongs to no declared control plane`,
        // its machine may live, and only the declaration not know it
        hint: 'talosctl etcd members # declare it, or remove it where its machine is gone',
      }),
    ),
    ...etcd.alarms.map((a) =>
      failure('etcd-alarm', {
        ...(a.node === undefined ? {} : { node: a.node }),
        detail: a.kind,
        hint: 'talosctl etcd alarm list',
      }),
    ),
    ...quorumObjections(node, votes, remaining, policy),
  ]
}

/**
 * What can not be read is not "none". A member that does not answer at all is objected to already. The others tell of the
 * target, where there are any.
 */
function unreadObjections(target: NodeName, { members, unread }: EtcdObservation): Failure[] {
  const answers = (node: NodeName): boolean => members.some((m) => m.node === node && m.answers)
  const isAlone = members.length === 1
  return unread
    .filter(({ node }) => (node !== target || isAlone) && answers(node))
    .map(({ node, what, failure: why }) =>
      failure('etcd-unreadable', {
        node,
        detail: `its ${what === 'alarms' ? 'alarms' : 'list of members'} can not be read: ${why.detail ?? FAILURES[why.reason].means}`,
        hint: `talosctl -n ${node} etcd ${what === 'alarms' ? 'alarm list' : 'members'}`,
      }),
    )
}

function quorumObjections(node: NodeName, votes: number, remaining: number, policy: EtcdPolicy): Failure[] {
  if (remaining >= quorum(votes)) return []
  if (votes <= 2) {
    if (policy.acceptOutage) return []
    return [
      failure('etcd-outage', {
        node,
        detail: `etcd has ${votes === 1 ? 'one member' : 'two members'}: while ${node} reboots there is no quorum, the Kubernetes API is down, and nothing can be written`,
        hint: `${AGAIN} --accept-etcd-outage # or etcd.acceptOutage in operations.yaml`,
      }),
    ]
  }
  return [
    failure('etcd-quorum', {
      node,
      detail: `${remaining} healthy voters would remain, ${quorum(votes)} are needed`,
      hint: `talosctl -n ${node} etcd status`,
    }),
  ]
}
