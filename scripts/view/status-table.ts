import type { ChalkInstance } from 'chalk'
import type { Cluster, NodeDeclaration } from '../../workflows/model/cluster.ts'
import { FAILURES, type Failure, type FailureReason } from '../../workflows/model/failure.ts'
import type { KubeNode } from '../../workflows/model/kubernetes.ts'
import type {
  EtcdMember,
  EtcdObservation,
  NodeFacts,
  Observation,
  OtherSlot,
  SlotUnknown,
} from '../../workflows/model/observation.ts'
import { isHealthyVoter, lagOf } from '../../workflows/plan/etcd.ts'
import { identityNotes, identityObjections, ownNodes } from '../../workflows/plan/identity.ts'
import { isInMaintenance } from '../../workflows/plan/is-in-maintenance.ts'
import { slowNote } from '../../workflows/plan/slow-note.ts'
import { failureText } from './failure-text.ts'
import { table } from './table.ts'
import { imageTag, waitingText } from './waiting-text.ts'

/**
 * What was seen of a cluster as a table, one row for every node that was asked, and below it what a table can not say:
 * why a node does not answer, what keeps it from being ready, alarms, disagreements.
 */
export function statusTable(cluster: Cluster, observation: Observation, paint: ChalkInstance): string {
  const { nodes, etcd } = observation
  const asked = cluster.nodes.filter(({ name }) => nodes[name] !== undefined)
  // most of the time no version waits anywhere, and 80 columns are few
  const slots = asked.some(({ name }) => {
    const seen = nodes[name]
    return seen?.reachable === true && slotText(seen.otherSlot, observation.at) !== ''
  })
  const titles = ['node', 'role', 'stage', 'version', 'schematic', ...(slots ? ['other slot'] : []), 'kubelet', 'etcd']
  const rows = asked.map((declared) => {
    const { name, role, schematic } = declared
    const seen = nodes[name]
    const member = etcd.members.find(({ node }) => node === name)
    const isCounted = role === 'controlplane' && (member !== undefined || !isInMaintenance(seen))
    const ofEtcd = isCounted ? etcdText(member, etcd, cluster, paint) : ''
    if (seen === undefined || !seen.reachable)
      return [paint.bold(name), role, paint.red(absence(seen?.failure)), '', '', ...(slots ? [''] : []), '', ofEtcd]
    return [
      paint.bold(name),
      role,
      stageText(seen, paint),
      versionText(seen, cluster, paint),
      schematicText(seen, schematic, paint),
      ...(slots ? [slotText(seen.otherSlot, observation.at)] : []),
      kubeletText(seen, kubeNodeOf(observation, declared), paint),
      ofEtcd,
    ]
  })
  const notes = statusNotes(cluster, observation)
  return [
    ...table([titles.map((title) => paint.dim(title)), ...rows]),
    ...(notes.length > 0 ? ['', ...notes.map((note) => paint.yellow(note))] : []),
    '',
  ].join('\n')
}

/** The Node of a declared node, where Kubernetes answers and knows it. */
function kubeNodeOf({ kubernetes, nodes }: Observation, declared: NodeDeclaration): KubeNode | undefined {
  const seen = nodes[declared.name]
  return kubernetes.answers ? ownNodes(declared, seen?.reachable ? seen : undefined, kubernetes.nodes).node : undefined
}

function kubeletText({ kubeletVersion = '' }: NodeFacts, node: KubeNode | undefined, paint: ChalkInstance): string {
  if (node === undefined) return kubeletVersion
  const words = [...(node.ready ? [] : ['not ready']), ...(node.unschedulable ? ['cordoned'] : [])]
  return words.length === 0 ? kubeletVersion : `${kubeletVersion}, ${paint.yellow(words.join(', '))}`
}

const ABSENCES: Partial<Record<FailureReason, string>> = { 'node-slow': 'slow', 'node-in-maintenance': 'maintenance' }

const absence = (failure: Failure | undefined): string => ABSENCES[failure?.reason ?? 'bug'] ?? 'unreachable'

const stageText = ({ stage, ready }: NodeFacts, paint: ChalkInstance): string => {
  if (stage === 'running' && ready) return 'ready'
  return paint.yellow(stage === 'running' ? 'running, not ready' : stage)
}

const versionText = ({ version }: NodeFacts, { talosVersion }: Cluster, paint: ChalkInstance): string =>
  version === talosVersion ? version : `${version} → ${paint.cyan(talosVersion)}`

/** Seven digits tell schematics apart as they do commits. */
const short = (schematic: string): string => schematic.slice(0, 7)

function schematicText({ schematic }: NodeFacts, declared: string | undefined, paint: ChalkInstance): string {
  const running = schematic === undefined ? 'none' : short(schematic)
  return declared === undefined || declared === schematic ? running : `${running} → ${paint.cyan(short(declared))}`
}

const UNKNOWN = {
  unread: 'log not readable',
  wrapped: 'not known any more',
  wording: 'not known for this release',
} as const satisfies Record<SlotUnknown, string>

/** The slot that does not run; empty when nothing is to be said. */
function slotText(slot: OtherSlot, observedAt: string): string {
  switch (slot.state) {
    case 'quiet':
      return ''
    case 'unknown':
      return UNKNOWN[slot.why]
    case 'installing':
      return `${imageTag(slot.image)} is being installed`
    case 'installed':
      return waitingText(slot.image, slot.at, observedAt)
    case 'install-failed':
      return `${imageTag(slot.image)} failed to install`
    case 'cut-off':
      return `${imageTag(slot.image)} was cut off`
  }
}

function etcdText(
  member: EtcdMember | undefined,
  etcd: EtcdObservation,
  cluster: Cluster,
  paint: ChalkInstance,
): string {
  if (member === undefined) return paint.red('not seen')
  if (!member.answers) return paint.red('does not answer')
  if (member.id === undefined) return paint.red('no member')
  if (!member.started) return paint.red('never started')
  const role = member.learner ? 'learner' : member.leader ? 'leader' : 'voter'
  const lag = lagOf(member, etcd)
  const text = [role, ...(lag > 0 ? [`${lag} behind`] : []), ...(member.errors.length > 0 ? ['has errors'] : [])].join(
    ', ',
  )
  return isHealthyVoter(member, etcd, cluster.operations.etcd.lagBound) ? text : paint.red(text)
}

/** Who cordoned a node: what is not marked as ours is left alone. */
function cordonNote(name: string, node: KubeNode | undefined): string[] {
  if (node === undefined || !node.unschedulable) return []
  const { mark } = node
  return mark
    ? [`${name}: cordoned by ${mark.run} since ${mark.at}; when that is over, the next run lifts it`]
    : [`${name}: cordoned by somebody else, and stays so`]
}

const sentence = ({ detail, reason }: Failure): string => detail ?? FAILURES[reason].means

function statusNotes(cluster: Cluster, observation: Observation): string[] {
  const { nodes, etcd, kubernetes } = observation
  return [
    ...identityObjections(cluster, observation).map(failureText),
    ...identityNotes(cluster, nodes),
    ...cluster.nodes.flatMap(({ name }) => {
      const seen = nodes[name]
      if (seen === undefined) return []
      if (!seen.reachable) return [failureText({ ...seen.failure, node: name })]
      return [
        ...(seen.ready || seen.unmet.length === 0 ? [] : [`${name}: not ready: ${seen.unmet.join(', ')}`]),
        ...slowNote(name, seen),
      ]
    }),
    ...etcd.members.flatMap(({ node, failure, errors }) => [
      ...(failure === undefined || nodes[node]?.reachable === false ? [] : [`${node}: etcd: ${sentence(failure)}`]),
      ...errors.map((error) => `${node}: etcd: ${error}`),
    ]),
    ...etcd.unread
      .filter(({ node }) => etcd.members.some((member) => member.node === node && member.answers))
      .map(({ node, what, failure }) => `${node}: etcd: its ${what} can not be read: ${sentence(failure)}`),
    ...(kubernetes.answers ? [] : [`Kubernetes: ${sentence(kubernetes.failure)}`]),
    ...cluster.nodes.flatMap((declared) => cordonNote(declared.name, kubeNodeOf(observation, declared))),
    ...etcd.alarms.map(({ node, kind }) => `${node === undefined ? '' : `${node}: `}etcd alarm ${kind}`),
    ...etcd.disagreements.map(({ node, detail }) => `${node}: its list of etcd members differs: ${detail}`),
    ...etcd.undeclared.map(
      ({ id, hostname, learner }) =>
        `etcd ${learner ? 'learner' : 'member'} ${id} (${hostname || 'never started'}) belongs to no declared control plane`,
    ),
  ]
}
