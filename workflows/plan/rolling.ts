/** The plan of a verb that takes nodes down one after another: all of it but what is done to each of them, and why. */
import { type Cluster, controlPlanesOf, type NodeDeclaration, type NodeName } from '../model/cluster.ts'
import type { Failure, Result } from '../model/failure.ts'
import type { NodeFacts, Observation } from '../model/observation.ts'
import type { VerbName } from '../model/verb-name.ts'
import { configurationObjection, isUnchecked } from './configuration.ts'
import { planDrains } from './drain/plan-drains.ts'
import { type EtcdPolicy, isHealthyVoter, notJoined } from './etcd.ts'
import { plannedGate } from './gate.ts'
import { identityNotes, identityObjections } from './identity.ts'
import { isInMaintenance } from './is-in-maintenance.ts'
import { extraArguments } from './kernel-arguments.ts'
import { lifeOf, unusable } from './life.ts'
import {
  type Before,
  type Chore,
  installedOn,
  type NodePlan,
  PLAN_VERSION,
  type Plan,
  pendingOf,
  type Wave,
  type Work,
} from './plan.ts'
import { slowNote } from './slow-note.ts'
import { unwellNote } from './unwell.ts'
import type { AnyWish } from './verb.ts'
import { inOrder, workersAtOnce } from './waves.ts'

/** What can be wished of every verb that takes nodes down. */
export type RollingWish = AnyWish & {
  acceptEtcdOutage: boolean
  /** goes on with the other nodes when one failed; never with another control plane when one did not come back */
  keepGoing: boolean
  /** takes nodes down with their pods on them */
  skipDrain: boolean
}

/** What is done to one node, and every reason against it. */
export type Part = { work: Work; why: string; failures: Failure[] }

/** What a verb adds. */
export type Rolling = {
  verb: VerbName
  target?: string
  /** reasons against all of it */
  failures: Failure[]
  part(declared: NodeDeclaration, seen: NodeFacts, before: Before): Part
  waves(sequence: readonly NodePlan[]): Wave[]
  /** about one node, whether anything is done to it or not */
  notesOf(plan: NodePlan): string[]
  /** about all to which something is done */
  notes(working: readonly NodePlan[]): string[]
}

/** Plans it for the wished nodes, or refuses with every reason at once. */
export function planRolling(
  cluster: Cluster,
  observed: Observation,
  wish: RollingWish,
  rolling: Rolling,
): Result<Plan, Failure[]> {
  const { targets, leftOut } = targetsOf(cluster, observed, wish)
  const failures: Failure[] = identityObjections(cluster, observed)
  const looked: NodePlan[] = []
  for (const declared of targets) {
    const seen = observed.nodes[declared.name]
    const refusal = unusable(declared, seen)
    if (refusal || !seen?.reachable) {
      if (refusal) failures.push(refusal)
      continue
    }
    const before = beforeOf(declared, seen, observed)
    const part = rolling.part(declared, seen, before)
    const { work, why } = part
    const plan: NodePlan = { node: declared.name, address: declared.address, role: seen.role, before, why, work }
    looked.push(plan)
    failures.push(...configurationObjections(plan, observed))
    failures.push(...part.failures.map((f) => ({ node: declared.name, ...f })))
  }
  failures.push(...rolling.failures)

  const isWorking = (n: NodePlan): boolean => n.work.kind !== 'leave'
  const policy: EtcdPolicy = {
    lagBound: cluster.operations.etcd.lagBound,
    acceptOutage: wish.acceptEtcdOutage || cluster.operations.etcd.acceptOutage,
  }
  const sequence = inOrder(looked.filter(isWorking), observed, policy)
  const first = sequence.find((n) => n.role === 'controlplane')
  if (first) failures.push(...plannedGate(first.node, cluster, observed, { targets, policy }))
  const drains = planDrains(
    cluster,
    observed.kubernetes,
    targets.filter((n) => sequence.some(({ node }) => node === n.name)),
    observed.nodes,
    { skip: wish.skipDrain },
  )
  failures.push(...drains.failures)
  if (failures.length > 0) return { ok: false, failure: failures }

  const nodes = looked.map((n): NodePlan => {
    const kubernetes = drains.byNode[n.node]
    return kubernetes === undefined ? n : { ...n, kubernetes }
  })
  const working = nodes.filter(isWorking)
  const snapshotFrom = first && snapshotSource(first.node, observed, policy)
  return {
    ok: true,
    value: {
      v: PLAN_VERSION,
      verb: rolling.verb,
      cluster: cluster.name,
      ...(rolling.target === undefined ? {} : { target: rolling.target }),
      nodes,
      chores: chores(drains.staleCordons, snapshotFrom),
      waves: rolling.waves(sequence),
      policy: {
        workersAtOnce: workersAtOnce(cluster),
        workersBesideControlPlanes: cluster.operations.upgrade.workersBesideControlPlanes,
        keepGoing: wish.keepGoing,
        passOverBlocked: cluster.operations.drain.whenGivenUp === 'continue',
        acceptEtcdOutage: policy.acceptOutage,
      },
      controlPlanes: controlPlanesOf(cluster).map((n) => n.name),
      notes: [
        ...identityNotes(cluster, observed.nodes),
        ...leftOut.map((name) => `${name} is in maintenance and waits for its configuration: it is left out`),
        ...notJoined(observed.etcd).map((name) => `${name} has not joined etcd yet`),
        ...(cluster.operations.access.lease === 'skip' ? [NO_LEASE] : []),
        ...nodes.flatMap((n) => [...conditionNotes(n, observed), ...rolling.notesOf(n)]),
        ...drains.notes,
        ...working.flatMap(unwellNote),
        ...rolling.notes(working),
        ...(first && !snapshotFrom ? ['no etcd member is healthy, so no snapshot can be taken'] : []),
      ],
    },
  }
}

const NO_LEASE =
  'no Lease is kept (access.lease: skip): runs of other computers are not kept away, and cordons that they left are not lifted'

/** The wished nodes, without machines that wait for a configuration where all were wished. */
function targetsOf(
  cluster: Cluster,
  observed: Observation,
  { nodes }: AnyWish,
): { targets: NodeDeclaration[]; leftOut: NodeName[] } {
  const wished = cluster.nodes.filter((n) => nodes === undefined || nodes.includes(n.name))
  const waiting = nodes === undefined ? wished.filter((n) => isInMaintenance(observed.nodes[n.name])) : []
  const targets = waiting.length < wished.length ? wished.filter((n) => !waiting.includes(n)) : wished
  return { targets, leftOut: waiting.map(({ name }) => name) }
}

const beforeOf = ({ name }: NodeDeclaration, facts: NodeFacts, { etcd }: Observation): Before => ({
  seen: lifeOf(name, { reachable: true, ...facts }, etcd) ?? 'configured',
  version: facts.version,
  ...(facts.schematic === undefined ? {} : { schematic: facts.schematic }),
  bootId: facts.bootId,
  ...(facts.kernelCmdline === undefined
    ? {}
    : { kernelArguments: extraArguments(facts.kernelCmdline, facts.platform) }),
  otherSlot: facts.otherSlot,
  ...(facts.ready || facts.unmet.length === 0 ? {} : { unmet: facts.unmet }),
})

/** Why its machine configuration keeps a node from being taken down. */
function configurationObjections({ node, work }: NodePlan, observed: Observation): Failure[] {
  const seen = observed.configurations?.[node]
  if (work.kind === 'leave' || seen === undefined) return []
  const objection = configurationObjection(node, seen, {
    installed: installedOn(work),
    pending: pendingOf(work),
  })
  return objection ? [objection] : []
}

/** Working nodes whose machine configuration the talosconfig's role may not read. */
export const unchecked = (working: readonly NodePlan[], { configurations }: Observation): NodeName[] =>
  working.map(({ node }) => node).filter((node) => configurations?.[node] && isUnchecked(configurations[node]))

/** A healthy member to take the snapshot from: a control plane that is not the first to go, when there is one. */
function snapshotSource(first: NodeName, observed: Observation, policy: EtcdPolicy): NodeName | undefined {
  const healthy = observed.etcd.members
    .filter((m) => isHealthyVoter(m, observed.etcd, policy.lagBound))
    .map((m) => m.node)
  return healthy.find((n) => n !== first) ?? healthy[0]
}

const chores = (
  cordons: (Chore & { step: 'clear-cordons' })['cordons'],
  snapshotFrom: NodeName | undefined,
): Chore[] => [
  ...(cordons.length > 0 ? [{ step: 'clear-cordons' as const, cordons }] : []),
  ...(snapshotFrom === undefined
    ? []
    : [{ step: 'snapshot-etcd' as const, node: snapshotFrom, after: 'pull' as const }]),
]

function conditionNotes({ node, work, before }: NodePlan, observed: Observation): string[] {
  const seen = observed.nodes[node]
  if (!seen?.reachable) return []
  return [
    ...slowNote(node, seen),
    ...(seen.ready || (before.unmet && work.kind !== 'leave')
      ? []
      : [`${node} is not ready now: ${seen.unmet.join(', ') || seen.stage}`]),
  ]
}
