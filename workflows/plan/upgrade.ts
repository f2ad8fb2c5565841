/** Decides an upgrade: a pure function of what is declared, what was observed, and what the person asked for. */
import semver from 'semver'
import {
  type Cluster,
  controlPlanesOf,
  type NodeDeclaration,
  type NodeName,
  type TalosVersion,
} from '../model/cluster.ts'
import { type Failure, failure, type Result } from '../model/failure.ts'
import type { InstallMark } from '../model/kubernetes.ts'
import type { Configuration, NodeFacts, NodeObservation, Observation } from '../model/observation.ts'
import { kubernetesObjections, pathOf, versionObjections } from './compatibility.ts'
import { configurationObjection, isUnchecked, uncheckedNote, unjudgedNote, unrememberedNote } from './configuration.ts'
import { planDrains } from './drain/plan-drains.ts'
import { type EtcdPolicy, etcdObjections, isHealthyVoter } from './etcd.ts'
import { identityNotes, identityObjections } from './identity.ts'
import { isInMaintenance } from './in-maintenance.ts'
import { installerImage, VANILLA_SCHEMATIC } from './installer-image.ts'
import { extraArguments, kernelArgumentObjection, type NextImage, unknownArgumentsNote } from './kernel-arguments.ts'
import { type Memory, wasBegun } from './memory.ts'
import type { KubernetesPlan, NodePlan, Plan } from './plan.ts'
import { refusedBefore, slotObjection, waits } from './slot.ts'
import { slowNote } from './slow-note.ts'
import { unwellNote } from './unwell.ts'
import type { AnyWish, Verb } from './verb.ts'

export type UpgradeWish = AnyWish & {
  /** the declared release when absent */
  to?: TalosVersion | undefined
  allowExtensionLoss: boolean
  allowKernelArgumentLoss: boolean
  acceptEtcdOutage: boolean
  /** tries nodes again that fell back from this target before, or whose installer refused it */
  retry: boolean
  /** goes on with the other nodes when one failed; never with another control plane when one did not come back */
  keepGoing: boolean
  /** takes nodes down with their pods on them */
  skipDrain: boolean
}

/** Rolls a Talos release over the wished nodes. */
export const upgrade: Verb<UpgradeWish> = {
  name: 'upgrade',
  release: targetOf,
  objections(cluster, wish) {
    const to = targetOf(cluster, wish)
    // no step leads to a release that the table does not know, whatever the nodes run
    return versionObjections(to, to)
  },
  plan: (cluster, observed, wish, memory) =>
    planUpgrade(cluster, observed, { ...wish, to: targetOf(cluster, wish) }, memory),
}

function targetOf({ talosVersion }: Cluster, { to }: UpgradeWish): TalosVersion {
  return to ?? talosVersion
}

/** What is wished, with nothing left open. */
type Wanted = UpgradeWish & { to: TalosVersion }

function planUpgrade(cluster: Cluster, observed: Observation, wish: Wanted, memory: Memory): Result<Plan, Failure[]> {
  const wished = cluster.nodes.filter((n) => wish.nodes === undefined || wish.nodes.includes(n.name))
  const leftOut = wish.nodes === undefined ? wished.filter((n) => isInMaintenance(observed.nodes[n.name])) : []
  const targets = leftOut.length < wished.length ? wished.filter((n) => !leftOut.includes(n)) : wished
  const failures: Failure[] = identityObjections(cluster, observed)
  const nodes: NodePlan[] = []
  for (const declared of targets) {
    const seen = observed.nodes[declared.name]
    const refusal = unusable(declared, seen)
    if (refusal || !seen?.reachable) {
      if (refusal) failures.push(refusal)
      continue
    }
    const begun = wasBegun(memory, seen.bootId) || noteOf(observed, seen.bootId) !== undefined
    const configuration = observed.configurations?.[declared.name]
    const planned = planNode(cluster, declared, seen, wish, { ...memory, begun }, configuration)
    const plan = withInstallation(planned.plan, observed, memory)
    nodes.push(plan)
    failures.push(...configurationObjections(plan, observed))
    failures.push(...planned.failures.map((f) => ({ node: declared.name, ...f })))
  }
  failures.push(...uniqueKubernetesObjections(cluster, wish.to))

  const working = nodes.filter((n) => n.work !== 'none')
  const policy = {
    lagBound: cluster.operations.etcd.lagBound,
    acceptOutage: wish.acceptEtcdOutage || cluster.operations.etcd.acceptOutage,
  }
  const controlPlanes = controlPlanesOf(cluster)
  const sequence = inOrder(working, observed, policy)
  const firstControlPlane = sequence.find((n) => n.role === 'controlplane')
  if (firstControlPlane) {
    failures.push(...otherControlPlanes(firstControlPlane.node, controlPlanes, observed, targets))
    const unseen = targets.filter((n) => !observed.nodes[n.name]?.reachable).map((n) => n.name)
    failures.push(...notJustUnseen(unseen, etcdObjections(firstControlPlane.node, observed.etcd, policy)))
  }
  const drains = planDrains(
    cluster,
    observed.kubernetes,
    targets.filter((n) => working.some(({ node }) => node === n.name)),
    observed.nodes,
    { skip: wish.skipDrain },
  )
  failures.push(...drains.failures)
  if (failures.length > 0) return { ok: false, failure: failures }

  const planned = nodes.map((n) => withKubernetes(n, drains.byNode[n.node]))
  const [canary, ...rest] = sequence
  const snapshotFrom = firstControlPlane && snapshotSource(firstControlPlane.node, observed, policy)
  return {
    ok: true,
    value: {
      verb: 'upgrade',
      cluster: cluster.name,
      to: wish.to,
      nodes: planned,
      ...(canary ? { canary: canary.node } : {}),
      order: rest.map((n) => n.node),
      controlPlanes: controlPlanes.map((n) => n.name),
      parallelism: workersAtOnce(cluster),
      workersBesideControlPlanes: cluster.operations.upgrade.workersBesideControlPlanes,
      keepGoing: wish.keepGoing,
      passOverBlocked: cluster.operations.drain.whenGivenUp === 'continue',
      staleCordons: drains.staleCordons,
      pullParallelism: cluster.operations.upgrade.pullParallelism,
      ...(snapshotFrom ? { snapshotFrom } : {}),
      acceptEtcdOutage: policy.acceptOutage,
      notes: [
        ...identityNotes(cluster, observed.nodes),
        ...leftOut.map(({ name }) => `${name} is in maintenance and waits for its configuration: it is left out`),
        ...(cluster.operations.access.lease === 'skip' ? [NO_LEASE] : []),
        ...notes(nodes, observed),
        ...drains.notes,
        ...planned.filter(({ work }) => work !== 'none').flatMap(unwellNote),
        ...notNoted(planned),
        ...uncheckedNote(unchecked(working, observed), wish.to),
        ...unrememberedNote(unremembered(working, observed)),
        ...working.flatMap((plan) => unknownArguments(cluster, plan, observed)),
        ...unjudgedNote(unjudged(working, observed), wish.to),
        ...(firstControlPlane && !snapshotFrom ? ['no etcd member is healthy, so no snapshot can be taken'] : []),
      ],
    },
  }
}

const NO_LEASE =
  'no Lease is kept (access.lease: skip): runs of other computers are not kept away, and cordons that they left are not lifted'

/**
 * With the configuration under which the version that waits was installed, as the journals here or its Node tell; where they
 * tell of two, the one that does not run: another checkout may have installed it again.
 */
function withInstallation(plan: NodePlan, observed: Observation, memory: Memory): NodePlan {
  if (plan.work !== 'finish') return plan
  const seen = observed.configurations?.[plan.node]
  const known = [memory.configurations[plan.bootId], noteOf(observed, plan.bootId)?.configuration].filter(
    (hash) => hash !== undefined,
  )
  const installedOn = known.find((hash) => seen?.ok && hash !== seen.value.hash) ?? known[0]
  return installedOn === undefined ? plan : { ...plan, installedOn }
}

/** Why its machine configuration keeps a node from being changed. */
function configurationObjections({ node, work, installedOn }: NodePlan, observed: Observation): Failure[] {
  const seen = observed.configurations?.[node]
  if (work === 'none' || seen === undefined) return []
  const objection = configurationObjection(node, seen, installedOn)
  return objection ? [objection] : []
}

/** Nodes of which nobody knows under which machine configuration what waits there was installed. */
const unremembered = (working: readonly NodePlan[], { configurations }: Observation): NodeName[] =>
  working
    .filter(({ node, work, installedOn }) => work === 'finish' && configurations?.[node]?.ok && !installedOn)
    .map(({ node }) => node)

/** Working nodes whose machine configuration the talosconfig's role may not read. */
const unchecked = (working: readonly NodePlan[], { configurations }: Observation): NodeName[] =>
  working.map(({ node }) => node).filter((node) => configurations?.[node] && isUnchecked(configurations[node]))

/** Kernel arguments of a node of which nobody knows whether it keeps them. */
function unknownArguments({ nodes }: Cluster, plan: NodePlan, { nodes: seen, configurations }: Observation): string[] {
  const facts = seen[plan.node]
  const declared = nodes.find(({ name }) => name === plan.node) ?? {}
  if (!facts?.reachable) return []
  return unknownArgumentsNote(plan.node, facts, nextImage(declared, plan, configurations?.[plan.node]))
}

/** Working nodes whose machine configuration was read, and not held against the release that they are to run. */
const unjudged = (working: readonly NodePlan[], { configurations }: Observation): NodeName[] =>
  working
    .filter(({ node, from, to }) => {
      const seen = configurations?.[node]
      return seen?.ok && seen.value.judged === undefined && !semver.eq(from, to)
    })
    .map(({ node }) => node)

/** `begun`: an installation of ours was begun under the boot that the node runs. */
type NodeMemory = Memory & { begun: boolean }

/** What a Node object tells of an installation under that boot, whoever's journal does not. */
const noteOf = ({ kubernetes }: Observation, bootId: string): InstallMark | undefined =>
  kubernetes.answers ? kubernetes.nodes.find(({ install }) => install?.bootId === bootId)?.install : undefined

/** Said where another checkout could not know that an installation was begun. */
function notNoted(nodes: readonly NodePlan[]): string[] {
  const names = nodes.filter((n) => n.work === 'upgrade' && n.kubernetes === undefined).map((n) => n.node)
  return names.length === 0
    ? []
    : [
        `${names.join(', ')}: that it is being installed is remembered in this folder only, and on no Node of Kubernetes`,
      ]
}

const withKubernetes = (plan: NodePlan, kubernetes: KubernetesPlan | undefined): NodePlan =>
  kubernetes === undefined ? plan : { ...plan, kubernetes }

/** A share is of all declared workers, rounded down, and never less than one. */
function workersAtOnce({ operations: { upgrade }, nodes }: Cluster): number {
  const { maxUnavailable } = upgrade
  if (typeof maxUnavailable === 'number') return maxUnavailable
  const workers = nodes.filter(({ role }) => role === 'worker').length
  return Math.max(1, Math.floor((workers * Number.parseInt(maxUnavailable, 10)) / 100))
}

/** Why nothing can be planned for a node: it does not answer, or it is not running an installed system. */
function unusable(declared: NodeDeclaration, seen: NodeObservation | undefined): Failure | undefined {
  const node = declared.name
  if (!seen) return failure('node-unreachable', { node, detail: 'it was not observed' })
  if (!seen.reachable) return { hint: `talosctl -n ${node} version`, ...seen.failure, node }
  if (seen.stage !== 'running' && seen.stage !== 'booting') {
    return failure('node-not-ready', {
      node,
      detail: `its stage is ${seen.stage}`,
      hint: `talosctl -n ${node} get machinestatus`,
    })
  }
  return undefined
}

function planNode(
  cluster: Cluster,
  declared: NodeDeclaration,
  seen: NodeFacts,
  wish: Wanted,
  memory: NodeMemory,
  configuration: Result<Configuration> | undefined,
): { plan: NodePlan; failures: Failure[] } {
  const node = declared.name
  const schematic = declared.schematic ?? seen.schematic ?? VANILLA_SCHEMATIC
  const image = installerImage({
    factory: cluster.operations.upgrade.factory,
    platform: seen.platform,
    secureBoot: seen.secureBoot,
    schematic,
    version: wish.to,
  })
  const base = {
    node,
    address: declared.address,
    role: seen.role,
    path: pathOf(seen.version),
    from: seen.version,
    to: wish.to,
    image,
    ...(seen.schematic === undefined ? {} : { schematicBefore: seen.schematic }),
    schematic,
    bootId: seen.bootId,
    ...(seen.kernelCmdline === undefined ? {} : { kernelArguments: extraArguments(seen.kernelCmdline, seen.platform) }),
    otherSlot: seen.otherSlot,
    ...(seen.ready || seen.unmet.length === 0 ? {} : { unmet: seen.unmet }),
  } as const
  const sameVersion = semver.eq(seen.version, wish.to)
  if (sameVersion && (declared.schematic === undefined || declared.schematic === seen.schematic)) {
    return { plan: { ...base, work: 'none', why: `runs ${seen.version} already` }, failures: [] }
  }
  if (waits(image, seen)) {
    const since = seen.otherSlot.state === 'installed' && seen.otherSlot.at ? ` since ${seen.otherSlot.at}` : ''
    return {
      plan: { ...base, work: 'finish', why: `${wish.to} waits in the other slot${since}: reboot only` },
      failures: [
        ...extensionObjections(declared, seen, schematic, wish),
        ...argumentObjections(declared, seen, base, wish, configuration),
        ...rolledBackBefore(node, image, seen, wish, memory),
      ],
    }
  }
  const why = sameVersion ? `schematic changes to ${schematic.slice(0, 8)}` : `${seen.version} to ${wish.to}`
  return {
    plan: { ...base, work: 'upgrade', why },
    failures: [
      ...versionObjections(seen.version, wish.to),
      ...(seen.kubeletVersion ? kubernetesObjections(wish.to, seen.kubeletVersion, 'the node runs') : []),
      ...extensionObjections(declared, seen, schematic, wish),
      ...argumentObjections(declared, seen, base, wish, configuration),
      ...slotObjections(node, seen, image, wish, memory),
      ...rolledBackBefore(node, image, seen, wish, memory),
    ],
  }
}

const uniqueKubernetesObjections = (cluster: Cluster, to: TalosVersion): Failure[] =>
  kubernetesObjections(to, cluster.kubernetesVersion, 'the declaration says')

const shortName = (extension: string): string => extension.slice(extension.lastIndexOf('/') + 1)

/** An image that lacks an extension which runs today cuts off storage or firmware at the next boot. */
function extensionObjections(declared: NodeDeclaration, seen: NodeFacts, schematic: string, wish: Wanted): Failure[] {
  if (wish.allowExtensionLoss || seen.extensions.length === 0 || schematic === seen.schematic) return []
  const hint = 'declare the extensions of the schematic, or accept the loss with --allow-extension-loss'
  if (schematic === VANILLA_SCHEMATIC && declared.schematic === undefined) {
    return [
      failure('extension-loss', {
        detail: `runs ${seen.extensions.join(', ')} from an image without a schematic; no image that keeps them is known`,
        hint,
      }),
    ]
  }
  const kept = new Set((declared.extensions ?? []).map(shortName))
  const lost = seen.extensions.filter((e) => !kept.has(shortName(e)))
  if (lost.length === 0) return []
  return [
    failure('extension-loss', {
      detail: `schematic ${schematic.slice(0, 8)} is not known to hold ${lost.join(', ')}`,
      hint,
    }),
  ]
}

/** An image that lacks a kernel argument which the node runs with may not find its disk, its network or its console. */
const argumentObjections = (
  declared: NodeDeclaration,
  seen: NodeFacts,
  plan: Pick<NodePlan, 'schematic' | 'path'>,
  wish: Wanted,
  configuration: Result<Configuration> | undefined,
): Failure[] =>
  wish.allowKernelArgumentLoss ? [] : kernelArgumentObjection(seen, nextImage(declared, plan, configuration))

const nextImage = (
  { kernelArgs }: Pick<NodeDeclaration, 'kernelArgs'>,
  { schematic, path }: Pick<NodePlan, 'schematic' | 'path'>,
  configuration: Result<Configuration> | undefined,
): NextImage => ({
  schematic,
  path,
  ...(kernelArgs ? { declared: kernelArgs } : {}),
  ...(configuration?.ok ? { configured: configuration.value.kernelArguments ?? [] } : {}),
})

/** Why the other slot may not be written, as the node and our memory say. */
function slotObjections(
  node: NodeName,
  facts: NodeFacts,
  image: string,
  { retry }: Wanted,
  memory: NodeMemory,
): Failure[] {
  const objection = slotObjection({ node, facts, image, begun: memory.begun, retry })
  if (objection) return [objection]
  const refused = memory.refusedImages[node]
  return retry || refused?.image !== image ? [] : [refusedBefore(node, refused.why)]
}

/** A run may have been killed before it saw that the node boots its old version: then it runs again what it ran. */
function rolledBackBefore(
  node: NodeName,
  image: string,
  { bootId, version }: NodeFacts,
  wish: Wanted,
  memory: Memory,
): Failure[] {
  const written = memory.written[node]
  const isLeft = written?.image === image && written.bootId !== bootId && semver.eq(version, written.from)
  const fellBack = memory.rolledBack[node] === image
  if (wish.retry || !(isLeft || fellBack)) return []
  return [
    failure('rolled-back-before', {
      node,
      detail: fellBack
        ? `fell back from ${image}`
        : `${image} was installed, and the node has booted since, and runs ${version} again`,
      hint: 'find out why, then try again with --retry',
    }),
  ]
}

/** Control planes that are not themselves to be changed first must answer, run, and be ready. */
function otherControlPlanes(
  first: NodeName,
  controlPlanes: NodeDeclaration[],
  observed: Observation,
  targets: NodeDeclaration[],
): Failure[] {
  return controlPlanes
    .filter((n) => n.name !== first)
    .flatMap((n) => {
      const seen = observed.nodes[n.name]
      if (seen?.reachable) return controlPlaneObjections(n.name, seen)
      if (targets.includes(n)) return [] // named by `unusable` already
      if (isInMaintenance(seen)) return [] // its member counts, while one is listed
      return [
        failure('control-plane-unreachable', {
          node: n.name,
          hint: `talosctl -n ${n.name} version`,
          ...(seen?.failure.detail ? { detail: seen.failure.detail } : {}),
        }),
      ]
    })
}

/** Without what only follows from targets that could not be looked at: `unusable` says why, and that is how the run ends. */
function notJustUnseen(unseen: NodeName[], objections: Failure[]): Failure[] {
  return objections.filter(
    ({ node, reason }) =>
      !(node !== undefined && unseen.includes(node)) && !(reason === 'etcd-quorum' && unseen.length > 0),
  )
}

/** Why a control plane does not count as up while another one is taken down. */
export function controlPlaneObjections(node: NodeName, seen: Pick<NodeFacts, 'stage' | 'ready' | 'unmet'>): Failure[] {
  if (seen.stage === 'running' && seen.ready) return []
  const detail = seen.stage === 'running' ? seen.unmet.join('; ') : `its stage is ${seen.stage}`
  return [failure('control-plane-not-ready', { node, detail, hint: `talosctl -n ${node} services` })]
}

/** Canary first, then control planes with the etcd leader last, then workers. A broken control plane goes before everything. */
function inOrder(working: NodePlan[], observed: Observation, policy: EtcdPolicy): NodePlan[] {
  const members = new Map(observed.etcd.members.map((m) => [m.node, m]))
  const workers = working.filter((n) => n.role === 'worker')
  const controlPlanes = working.filter((n) => n.role === 'controlplane')
  const isBroken = (n: NodePlan): boolean => {
    const member = members.get(n.node)
    const seen = observed.nodes[n.node]
    const isUp = seen?.reachable === true && controlPlaneObjections(n.node, seen).length === 0
    return !isUp || member === undefined || !isHealthyVoter(member, observed.etcd, policy.lagBound)
  }
  const broken = controlPlanes.filter(isBroken)
  const sound = controlPlanes.filter((n) => !isBroken(n))
  const followers = sound.filter((n) => !members.get(n.node)?.leader)
  const leaders = sound.filter((n) => members.get(n.node)?.leader)
  const [canaryWorker, ...otherWorkers] = workers
  if (broken.length > 0) return [...broken, ...followers, ...leaders, ...workers]
  if (canaryWorker) return [canaryWorker, ...followers, ...leaders, ...otherWorkers]
  const canary = followers.at(-1) ?? leaders.at(-1)
  return [...(canary ? [canary] : []), ...[...followers, ...leaders].filter((n) => n !== canary)]
}

/** A healthy member to take the snapshot from: a control plane that is not the first to go, when there is one. */
function snapshotSource(first: NodeName, observed: Observation, policy: EtcdPolicy): NodeName | undefined {
  const healthy = observed.etcd.members
    .filter((m) => isHealthyVoter(m, observed.etcd, policy.lagBound))
    .map((m) => m.node)
  return healthy.find((n) => n !== first) ?? healthy[0]
}

function notes(nodes: NodePlan[], observed: Observation): string[] {
  return nodes.flatMap((n) => {
    const seen = observed.nodes[n.node]
    if (!seen?.reachable) return []
    return [
      ...slowNote(n.node, seen),
      ...(seen.ready || (n.unmet && n.work !== 'none')
        ? []
        : [`${n.node} is not ready now: ${seen.unmet.join(', ') || seen.stage}`]),
      ...(n.work === 'upgrade' && n.schematicBefore === undefined
        ? [`${n.node} runs no schematic; the vanilla one is installed`]
        : []),
      ...(n.work === 'none' && n.otherSlot.state === 'installed'
        ? [
            `${n.node}: ${n.otherSlot.image} waits in the other slot${n.otherSlot.at ? ` since ${n.otherSlot.at}` : ''}, and boots next`,
          ]
        : []),
    ]
  })
}
