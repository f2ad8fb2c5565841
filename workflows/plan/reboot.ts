/** Decides a rolling reboot: a pure function of what is declared, what was observed, and what the person asked for. */
import type { Cluster, NodeDeclaration } from '../model/cluster.ts'
import type { Result } from '../model/failure.ts'
import type { Configuration, NodeFacts } from '../model/observation.ts'
import { uncheckedNote } from './configuration.ts'
import { declaredImage } from './declared-image.ts'
import { isInstallBegun } from './install-note.ts'
import { type NodePlan, pendingOf, type RebootMode, type Restart } from './plan.ts'
import { type Part, planRolling, type RollingWish, unchecked } from './rolling.ts'
import { type BesideTheLog, bootObjection } from './slot.ts'
import type { Verb } from './verb.ts'
import { waves } from './waves.ts'

export type RebootWish = RollingWish & {
  /** `default` when absent */
  mode?: RebootMode | undefined
  /** boots nodes also into a machine configuration that is staged, or out of one that is on trial */
  acceptPendingConfiguration: boolean
}

/** Whoever reboots a cluster each month from cron means all of its nodes, whatever became of the last time. */
const A_DAY_MS = 24 * 60 * 60 * 1000

/** Boots the wished nodes once more into what they run. */
export const reboot: Verb<RebootWish> = {
  name: 'reboot',
  carriedOnForMs: A_DAY_MS,
  plan(cluster, observed, wish, memory) {
    return planRolling(cluster, observed, wish, {
      verb: 'reboot',
      failures: [],
      part: (declared, seen) =>
        partOf(declared.name, seen, restartOf(wish, observed.configurations?.[declared.name]), {
          begun: isInstallBegun(memory, observed, seen.bootId),
          ...upgradesTo(cluster, declared, seen),
        }),
      waves: (sequence) => waves({ goal: 'turn', nodes: sequence.map(({ node }) => node) }),
      notesOf,
      notes: (working) => [...untold(working), ...uncheckedNote(unchecked(working, observed))],
    })
  },
}

const WHY: Record<RebootMode, string> = {
  default: 'asked for',
  powercycle: 'asked for, through the firmware',
  force: 'asked for, without the shutdown of the node itself',
}

/** A node in whose other slot another version waits would boot that one, which nobody asked for. */
function partOf(node: string, seen: NodeFacts, work: Restart, known: BesideTheLog): Part {
  const objection = bootObjection({ node, work }, seen, known)
  const why = `${WHY[work.mode]}${work.pending === undefined ? '' : ', into the machine configuration on its disk'}`
  return { work, why, failures: objection ? [objection] : [] }
}

/** A configuration that was not seen to be pending is not accepted: nobody knows of it. */
function restartOf(
  { mode = 'default', acceptPendingConfiguration }: RebootWish,
  configured: Result<Configuration> | undefined,
): Restart {
  const isPending = acceptPendingConfiguration && configured?.ok && configured.value.pending !== 'nothing'
  return { kind: 'restart', mode, ...(isPending && { pending: configured.value.hash }) }
}

/** What an upgrade to the declared release would boot, where it would boot anything. */
function upgradesTo(cluster: Cluster, declared: NodeDeclaration, seen: NodeFacts): Pick<BesideTheLog, 'upgradesTo'> {
  const { image, runs } = declaredImage(cluster, declared, seen, cluster.talosVersion)
  return runs ? {} : { upgradesTo: image }
}

/** An installation that was cut off is no reason against a boot: that is what takes the node to a known state. */
const notesOf = ({ node, work, before: { otherSlot } }: NodePlan): string[] => [
  ...(otherSlot.state === 'cut-off'
    ? [`${node}: the installation of ${otherSlot.image} was cut off, and whether it boots that is not known`]
    : []),
  ...(pendingOf(work) === undefined
    ? []
    : [
        `${node} boots another machine configuration than it runs, the one on its disk: talosctl -n ${node} get machineconfig persistent -o yaml`,
      ]),
]

/** Nodes of which nobody knows whether they boot what they run. */
function untold(working: readonly NodePlan[]): string[] {
  const names = working.filter(({ before }) => before.otherSlot.state === 'unknown').map(({ node }) => node)
  return names.length === 0
    ? []
    : [
        `${names.join(', ')}: the log of machined does not tell whether another version waits in the other slot, which would boot`,
      ]
}
