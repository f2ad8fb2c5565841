/** Decides an upgrade: a pure function of what is declared, what was observed, and what the person asked for. */
import semver from 'semver'
import { AGAIN } from '../model/again.ts'
import type { Cluster, NodeDeclaration, NodeName, TalosVersion } from '../model/cluster.ts'
import { kubernetesObjections, pathOf, versionObjections } from '../model/compatibility.ts'
import { type Failure, failure, type Result } from '../model/failure.ts'
import type { Configuration, NodeFacts, Observation } from '../model/observation.ts'
import { uncheckedNote, unjudgedNote, unrememberedNote } from './configuration.ts'
import { declaredImage } from './declared-image.ts'
import { installNote, isInstallBegun } from './install-note.ts'
import { VANILLA_SCHEMATIC } from './installer-image.ts'
import { kernelArgumentObjection, type NextImage, unknownArgumentsNote } from './kernel-arguments.ts'
import type { Memory } from './memory.ts'
import { type Before, isToBeInstalled, type NodePlan, type Switch, type Wave } from './plan.ts'
import { type Part, planRolling, type RollingWish, unchecked } from './rolling.ts'
import { refusedBefore, slotObjection, waits } from './slot.ts'
import type { Verb } from './verb.ts'
import { waves } from './waves.ts'

export type UpgradeWish = RollingWish & {
  /** the declared release when absent */
  to?: TalosVersion | undefined
  allowExtensionLoss: boolean
  allowKernelArgumentLoss: boolean
  /** tries nodes again that fell back from this target before, or whose installer refused it */
  retry: boolean
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
  plan(cluster, observed, given, memory) {
    const wish = { ...given, to: targetOf(cluster, given) }
    return planRolling(cluster, observed, wish, {
      verb: 'upgrade',
      target: wish.to,
      failures: kubernetesObjections(wish.to, cluster.kubernetesVersion, 'the declaration says'),
      part: (declared, seen, before) => partOf(cluster, observed, wish, memory, { declared, seen, before }),
      waves: (sequence) => upgradeWaves(sequence, cluster.operations.upgrade.pullParallelism),
      notesOf,
      notes: (working) => [
        ...notNoted(working),
        ...uncheckedNote(unchecked(working, observed), wish.to),
        ...unrememberedNote(unremembered(working, observed)),
        ...working.flatMap((plan) => unknownArguments(cluster, plan, observed)),
        ...unjudgedNote(unjudged(working, observed, wish.to), wish.to),
      ],
    })
  },
}

function targetOf({ talosVersion }: Cluster, { to }: UpgradeWish): TalosVersion {
  return to ?? talosVersion
}

/** What is wished, with nothing left open. */
type Wanted = UpgradeWish & { to: TalosVersion }

/** Pull everywhere, take the first one through alone, then install on the rest side by side and turn them in their order. */
function upgradeWaves(sequence: readonly NodePlan[], atOnce: number): Wave[] {
  const [canary, ...rest] = sequence
  const names = (plans: readonly NodePlan[]) => plans.map(({ node }) => node)
  const writes = ({ work }: NodePlan) => isToBeInstalled(work)
  const writesAhead = ({ work }: NodePlan) => work.kind === 'switch' && work.how === 'write, then reboot'
  return waves(
    { goal: 'pull', nodes: names(sequence.filter(writes)), atOnce },
    { goal: 'turn', nodes: names(canary ? [canary] : []) },
    { goal: 'install', nodes: names(rest.filter(writesAhead)), atOnce },
    { goal: 'turn', nodes: names(rest) },
  )
}

type Of = { declared: NodeDeclaration; seen: NodeFacts; before: Before }

/** What is done to a node, and every reason against it. */
function partOf(cluster: Cluster, observed: Observation, wish: Wanted, memory: Memory, of: Of): Part {
  const { declared, seen } = of
  const node = declared.name
  const { schematic, image, runs } = declaredImage(cluster, declared, seen, wish.to)
  const sameVersion = semver.eq(seen.version, wish.to)
  if (runs) return { work: { kind: 'leave', image }, why: `runs ${seen.version} already`, failures: [] }
  const target = { kind: 'switch', image, schematic, to: wish.to } as const
  const configuration = observed.configurations?.[node]
  const losses = [
    ...extensionObjections(declared, seen, schematic, wish),
    ...argumentObjections(declared, seen, schematic, wish, configuration),
  ]
  if (waits(image, seen)) {
    const since = seen.otherSlot.state === 'installed' && seen.otherSlot.at ? ` since ${seen.otherSlot.at}` : ''
    const installedOn = installationOf(node, seen.bootId, observed, memory)
    return {
      work: { ...target, how: 'reboot: it waits', ...(installedOn === undefined ? {} : { installedOn }) },
      why: `${wish.to} waits in the other slot${since}: reboot only`,
      failures: [...losses, ...rolledBackBefore(node, image, seen, wish, memory)],
    }
  }
  const begun = isInstallBegun(memory, observed, seen.bootId)
  return {
    work: { ...target, how: pathOf(seen.version) === 'lifecycle' ? 'write, then reboot' : 'one call' },
    why: sameVersion ? `schematic changes to ${schematic.slice(0, 8)}` : `${seen.version} to ${wish.to}`,
    failures: [
      ...versionObjections(seen.version, wish.to),
      ...(seen.kubeletVersion ? kubernetesObjections(wish.to, seen.kubeletVersion, 'the node runs') : []),
      ...losses,
      ...slotObjections(node, seen, image, wish, { ...memory, begun }),
      ...rolledBackBefore(node, image, seen, wish, memory),
    ],
  }
}

/**
 * Hash of the configuration under which the version that waits was installed, as the journals here or its Node tell; where
 * they tell of two, the one that does not run: another checkout may have installed it again.
 */
function installationOf(node: NodeName, bootId: string, observed: Observation, memory: Memory): string | undefined {
  const seen = observed.configurations?.[node]
  const known = [memory.configurations[bootId], installNote(observed, bootId)?.configuration].filter(
    (hash) => hash !== undefined,
  )
  return known.find((hash) => seen?.ok && hash !== seen.value.hash) ?? known[0]
}

/** Nodes of which nobody knows under which machine configuration what waits there was installed. */
const unremembered = (working: readonly NodePlan[], { configurations }: Observation): NodeName[] =>
  working
    .filter(
      ({ node, work }) =>
        work.kind === 'switch' && work.how === 'reboot: it waits' && configurations?.[node]?.ok && !work.installedOn,
    )
    .map(({ node }) => node)

/** Kernel arguments of a node of which nobody knows whether it keeps them. */
function unknownArguments({ nodes }: Cluster, plan: NodePlan, { nodes: seen, configurations }: Observation): string[] {
  const facts = seen[plan.node]
  const declared = nodes.find(({ name }) => name === plan.node) ?? {}
  if (!facts?.reachable || plan.work.kind !== 'switch') return []
  const next = nextImage(declared, facts, plan.work.schematic, configurations?.[plan.node])
  return unknownArgumentsNote(plan.node, facts, next)
}

/** Working nodes whose machine configuration was read, and not held against the release that they are to run. */
const unjudged = (working: readonly NodePlan[], { configurations }: Observation, to: TalosVersion): NodeName[] =>
  working
    .filter(({ node, before }) => {
      const seen = configurations?.[node]
      return seen?.ok && seen.value.judged === undefined && !semver.eq(before.version, to)
    })
    .map(({ node }) => node)

/** `begun`: an installation of ours was begun under the boot that the node runs. */
type NodeMemory = Memory & { begun: boolean }

/** Said where another checkout could not know that an installation was begun. */
function notNoted(working: readonly NodePlan[]): string[] {
  const names = working.filter(({ work, kubernetes }) => isToBeInstalled(work) && !kubernetes).map(({ node }) => node)
  return names.length === 0
    ? []
    : [
        `${names.join(', ')}: that it is being installed is remembered in this folder only, and on no Node of Kubernetes`,
      ]
}

function notesOf({ node, work, before: { schematic, otherSlot } }: NodePlan): string[] {
  if (work.kind === 'leave')
    return otherSlot.state === 'installed'
      ? [
          `${node}: ${otherSlot.image} waits in the other slot${otherSlot.at ? ` since ${otherSlot.at}` : ''}, and boots next`,
        ]
      : []
  return isToBeInstalled(work) && schematic === undefined
    ? [`${node} runs no schematic; the vanilla one is installed`]
    : []
}

const shortName = (extension: string): string => extension.slice(extension.lastIndexOf('/') + 1)

/** An image that lacks an extension which runs today cuts off storage or firmware at the next boot. */
function extensionObjections(declared: NodeDeclaration, seen: NodeFacts, schematic: string, wish: Wanted): Failure[] {
  if (wish.allowExtensionLoss || seen.extensions.length === 0 || schematic === seen.schematic) return []
  const hint = `${AGAIN} --allow-extension-loss # or declare the extensions of the schematic`
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
  schematic: Switch['schematic'],
  wish: Wanted,
  configuration: Result<Configuration> | undefined,
): Failure[] =>
  wish.allowKernelArgumentLoss ? [] : kernelArgumentObjection(seen, nextImage(declared, seen, schematic, configuration))

const nextImage = (
  { kernelArgs }: Pick<NodeDeclaration, 'kernelArgs'>,
  { version }: Pick<NodeFacts, 'version'>,
  schematic: Switch['schematic'],
  configuration: Result<Configuration> | undefined,
): NextImage => ({
  schematic,
  path: pathOf(version),
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
      hint: `talosctl -n ${node} dmesg # once it is known why: --retry`,
    }),
  ]
}
