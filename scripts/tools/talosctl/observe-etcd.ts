import type { NodeDeclaration, NodeName } from '../../../workflows/model/cluster.ts'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import { goesBy } from '../../../workflows/model/goes-by.ts'
import type { EtcdMember, EtcdObservation } from '../../../workflows/model/observation.ts'
import { isDone } from '../ended.ts'
import { type Target, talosctlCommands } from '../talosctl.ts'
import type { Answer, Ask, AskOptions } from './ask.ts'
import {
  type AlarmRow,
  type ByNode,
  type MemberRow,
  readAlarms,
  readMembers,
  readStatus,
  type StatusRow,
} from './etcd-tables.ts'
import { failureOf } from './failure-of.ts'
import { createGathering } from './gathering.ts'
import { nodeErrors } from './node-errors.ts'
import { getOfEach } from './observe-nodes.ts'
import type { Resource } from './resources.ts'
import { hostOf } from './talosconfig.ts'
import { toldAll } from './told-all.ts'

/** What one control plane says; what is absent could not be read, and `failures` says why. */
type View = {
  members?: MemberRow[]
  status?: StatusRow
  alarms?: AlarmRow[]
  failures?: { members?: Failure; status?: Failure; alarms?: Failure }
}

/** What is known of control planes already: that their etcd runs, or why they can not be asked. */
export type KnownOfEtcd = Readonly<Record<NodeName, 'runs' | Failure>>

/**
 * Every declared control plane's own view of etcd, laid side by side; with `only` their statuses all that their members themselves
 * tell, which is enough to see who leads, votes and has caught up. Never rejects.
 */
export async function observeEtcd(
  ask: Ask,
  controlPlanes: readonly NodeDeclaration[],
  { known = {}, only, ...options }: AskOptions & { known?: KnownOfEtcd; only?: 'status' | undefined },
): Promise<EtcdObservation> {
  const members: ByNode<MemberRow[]> = new Map()
  const status: ByNode<StatusRow> = new Map()
  const alarms: ByNode<AlarmRow[]> = new Map()
  const running = createGathering<NodeDeclaration>(async (group) => {
    const asked = ofEach(ask, group, talosctlCommands.etcdStatus, readStatus, options, status)
    if (only) return asked
    await Promise.all([
      asked,
      ofEach(ask, group, talosctlCommands.etcdMembers, readMembers, options, members),
      // No alarm is no line, so an answer without one counts.
      ofEach(ask, group, talosctlCommands.etcdAlarms, readAlarms, options, alarms, () => []),
    ])
  }, options.deadlineAt)
  const came = (address: string, services: readonly Resource[]) => {
    const node = controlPlanes.filter((one) => one.address === address)
    if (services.some(({ id }) => id === 'etcd')) running.add(node, 0)
  }
  const narrowed = (left: readonly string[]) => running.narrowed(left.length)
  const silent = ({ name }: NodeDeclaration, failure: Failure) => {
    for (const told of [members, status, alarms]) told.set(name, { ok: false, failure })
  }
  const asked = controlPlanes.filter(({ name }) => known[name] === undefined)
  const services =
    asked.length === 0 ? new Map() : await getOfEach(ask, asked, 'services', 'several', { ...options, came, narrowed })
  for (const node of controlPlanes) {
    const of = known[node.name]
    const { resources = [], failure: failed } = services.get(node.address) ?? {}
    if (of === 'runs') running.add([node], 0)
    else if (of) silent(node, of)
    else if (!resources.some(({ id }: Resource) => id === 'etcd')) silent(node, failed ?? NOT_RUNNING)
  }
  await running.end()
  if (only) foldStatuses(status, { members, alarms })
  const views = new Map<NodeName, View>(
    controlPlanes.map(({ name }) => {
      const [own, says, warns] = [members.get(name), status.get(name), alarms.get(name)]
      return [
        name,
        {
          ...(own?.ok ? { members: own.value } : {}),
          ...(says?.ok ? { status: says.value } : {}),
          ...(warns?.ok ? { alarms: warns.value } : {}),
          failures: {
            ...(own?.ok === false ? { members: own.failure } : {}),
            ...(says?.ok === false ? { status: says.failure } : {}),
            ...(warns?.ok === false ? { alarms: warns.failure } : {}),
          },
        },
      ]
    }),
  )
  return layOut(controlPlanes, views)
}

/** Whoever tells its status is a member, and repeats every alarm among its errors. */
function foldStatuses(
  status: ByNode<StatusRow>,
  { members, alarms }: { members: ByNode<MemberRow[]>; alarms: ByNode<AlarmRow[]> },
): void {
  const rows = [...status].flatMap(([hostname, { ok, ...told }]): (MemberRow & Pick<StatusRow, 'errors'>)[] =>
    ok && 'value' in told
      ? [{ hostname, peerUrls: [], id: told.value.id, learner: told.value.learner, errors: told.value.errors }]
      : [],
  )
  const raised = rows.flatMap(({ errors }) =>
    errors.flatMap((error) => {
      const [, id, kind] = /^memberID:(\d+) alarm:(\w+)/.exec(error) ?? []
      return id !== undefined && kind !== undefined ? [{ id, kind }] : []
    }),
  )
  for (const [name, { ok }] of status) {
    if (!ok) continue
    members.set(name, { ok: true, value: rows.map(({ errors: _, ...row }) => row) })
    alarms.set(name, { ok: true, value: raised })
  }
}

/** Pure: which member is whose, who leads, where the lists differ. */
export function layOut(controlPlanes: readonly NodeDeclaration[], views: ReadonlyMap<NodeName, View>): EtcdObservation {
  const listed = new Map<string, MemberRow>()
  for (const view of views.values())
    for (const row of view.members ?? []) if (!listed.has(row.id)) listed.set(row.id, row)

  const owner = new Map<string, NodeName>()
  for (const { name } of controlPlanes) {
    const id = views.get(name)?.status?.id
    if (id !== undefined) owner.set(id, name)
  }
  // A member whose node does not answer is told by the address that its peers use, then by its host name.
  for (const row of listed.values()) {
    if (owner.has(row.id)) continue
    const free = controlPlanes.filter(({ name }) => ![...owner.values()].includes(name))
    const node =
      free.find((one) => row.peerUrls.some((url) => goesBy(one, addressOf(url)))) ??
      free.find((one) => goesBy(one, row.hostname))
    if (node) owner.set(row.id, node.name)
  }
  const idOf = (name: NodeName) => [...owner].find(([, node]) => node === name)?.[0]

  const statuses = [...views.values()].flatMap(({ status }) => (status ? [status] : []))
  const term = Math.max(...statuses.map(({ raftTerm }) => raftTerm))
  const leader = statuses.find(({ raftTerm }) => raftTerm === term)?.leader

  // a machine without a configuration is no member, unless one of its earlier life is still listed
  const counted = controlPlanes.filter(
    ({ name }) =>
      views.get(name)?.failures?.status?.reason !== 'node-in-maintenance' ||
      listed.size === 0 ||
      idOf(name) !== undefined,
  )

  return {
    members: counted.map(({ name }): EtcdMember => {
      const view = views.get(name)
      const id = idOf(name)
      const row = id === undefined ? undefined : listed.get(id)
      const status = view?.status
      return {
        node: name,
        ...(row ? { id: row.id } : {}),
        started: row !== undefined && row.hostname !== '',
        learner: row?.learner === true || status?.learner === true,
        leader: id !== undefined && id === leader,
        answers: status !== undefined,
        ...(status ? { appliedIndex: status.appliedIndex, raftIndex: status.raftIndex, dbSize: status.dbSize } : {}),
        errors: status?.errors ?? [],
        ...(view?.failures?.status ? { failure: { ...view.failures.status, node: name } } : {}),
      }
    }),
    undeclared: [...listed.values()]
      .filter(({ id }) => !owner.has(id))
      .map(({ id, hostname, learner, peerUrls }) => ({ id, hostname, learner, addresses: peerUrls.map(addressOf) })),
    disagreements: disagreements(controlPlanes, views),
    alarms: distinct(
      [...views.values()].flatMap(({ alarms = [] }) => alarms),
      ({ id, kind }) => `${id} ${kind}`,
    ).map(({ id, kind }) => {
      const node = owner.get(id)
      return { ...(node === undefined ? {} : { node }), kind }
    }),
    unread: controlPlanes.flatMap(({ name }) =>
      (['members', 'alarms'] as const).flatMap((what) => {
        const view = views.get(name)
        if (view?.[what] !== undefined) return []
        return [{ node: name, what, failure: { ...(view?.failures?.[what] ?? failure('garbage-answer')), node: name } }]
      }),
    ),
  }
}

const addressOf = (peerUrl: string): string => hostOf(peerUrl.replace(/^\w+:\/\//, ''))

function disagreements(
  controlPlanes: readonly NodeDeclaration[],
  views: ReadonlyMap<NodeName, View>,
): EtcdObservation['disagreements'] {
  const lists = controlPlanes.flatMap(({ name }) => {
    const members = views.get(name)?.members
    return members ? [{ name, members }] : []
  })
  const [first, ...others] = lists
  if (!first) return []
  const key = ({ id, hostname, learner, peerUrls }: MemberRow) => [id, hostname, learner, ...peerUrls].join(' ')
  return others.flatMap(({ name, members }) => {
    const extra = members.filter((row) => !first.members.some((other) => key(other) === key(row)))
    const lacking = first.members.filter((row) => !members.some((other) => key(other) === key(row)))
    if (extra.length === 0 && lacking.length === 0) return []
    const say = (rows: MemberRow[]) =>
      rows.map((row) => `${row.hostname || row.id}${row.learner ? ' (a learner)' : ''}`).join(', ')
    const parts = [
      ...(extra.length > 0 ? [`lists ${say(extra)}`] : []),
      ...(lacking.length > 0 ? [`does not list ${say(lacking)}`] : []),
    ]
    return [{ node: name, detail: `${parts.join(' and ')}, unlike ${first.name}` }]
  })
}

/**
 * Where etcd does not run, Talos answers no question about it, ever. A service that does not run has no resource
 * (internal/app/machined/pkg/controllers/v1alpha1/service.go).
 */
const NOT_RUNNING = failure('etcd-member-unhealthy', { detail: 'etcd does not run' })

/** What each says, into `found`. `none` is what an answer without rows means, where it means any. */
async function ofEach<T>(
  ask: Ask,
  nodes: readonly NodeDeclaration[],
  build: (at: Target) => ReturnType<typeof talosctlCommands.etcdStatus>,
  read: (asked: readonly string[], stdout: string) => ByNode<T>,
  options: AskOptions,
  found: ByNode<T>,
  none?: () => T,
): Promise<void> {
  const nameOf = new Map(nodes.map(({ name, address }) => [address, name]))
  const take = (asked: readonly string[], answer: Answer): string[] => {
    if (!toldAll(answer)) return []
    const told = read(asked, answer.stdout)
    const errors = nodeErrors(answer.stderr)
    return asked.filter((address) => {
      if (errors.has(address)) return false
      const own = told.get(address) ?? (none && { ok: true, value: none() })
      // what can not be read in a table of many may be in one of its own
      if (!own || !(own.ok || asked.length === 1)) return false
      found.set(nameOf.get(address) ?? '', own)
      return true
    })
  }
  const missing = await ask.each([...nameOf.keys()], build, take, options)
  for (const [address, answer] of missing)
    found.set(nameOf.get(address) ?? '', { ok: false, failure: whyUntold(answer) })
}

function whyUntold(answer: Answer): Failure {
  if (isDone(answer)) return failure('garbage-answer', { detail: 'says nothing about etcd that can be read' })
  // an etcd that hangs is no silence of the node
  if (answer.ended.by === 'deadline')
    return failure('etcd-member-unhealthy', { detail: 'no answer about etcd before the deadline' })
  return failureOf(answer)
}

const distinct = <T>(items: readonly T[], key: (item: T) => string): T[] => [
  ...new Map(items.map((item) => [key(item), item])).values(),
]
