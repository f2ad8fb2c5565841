/** What a run will do, decided before anything is touched. Plain JSON: it stands in the journal's first record. */
import type { ClusterName, NodeName, Role, TalosVersion } from '../model/cluster.ts'
import type { Obstacle } from '../model/event.ts'
import type { OtherSlot } from '../model/observation.ts'
import type { VerbName } from '../model/verb-name.ts'

export type NodePlan = {
  node: NodeName
  address: string
  role: Role
  before: Before
  /** one sentence: why this is done to the node, or why it is left alone */
  why: string
  /** absent where Kubernetes does not answer, or does not know the node */
  kubernetes?: KubernetesPlan
  work: Work
}

/** What was seen of a node before the run. */
export type Before = {
  seen: Life
  version: TalosVersion
  schematic?: string
  bootId: string
  /** kernel arguments that it runs with and that are not Talos' own; absent where they are not known */
  kernelArguments?: string[]
  otherSlot: OtherSlot
  /** conditions of the machine that are not met; absent where it is ready */
  unmet?: string[]
}

/** States of life of a node, each of which contains the ones before it; `reset` is on its way back to the first. */
export type Life =
  /** no configuration yet: it waits for one */
  | 'maintenance'
  /** installed and configured; as a control plane it is no member of etcd yet */
  | 'configured'
  /** it has its place in the cluster, and is not well there */
  | 'bootstrapped'
  | 'ready'
  | 'reset'

/** What is done to a node. Data that only one kind has lives only in that kind. */
export type Work =
  /** `image`: what it runs already, from which it may yet be found fallen back */
  { kind: 'leave'; image?: string } | Switch | Restart

/** It boots what it runs. */
export type Restart = {
  kind: 'restart'
  mode: RebootMode
  /** hash of its machine configuration, where another one than it runs is to be booted */
  pending?: string
}

/** It boots another image. */
export type Switch = { kind: 'switch'; image: string; schematic: string; to: TalosVersion } & (
  | {
      /** one call installs and reboots below Talos 1.13 */
      how: 'write, then reboot' | 'one call'
    }
  | {
      how: 'reboot: it waits'
      /** hash of the machine configuration under which what waits was installed, where that is known */
      installedOn?: string
    }
)

/** What a node switches to; a step that is asked to without such work is a bug. */
export function switchOf({ node, work }: Pick<NodePlan, 'node' | 'work'>): Switch {
  if (work.kind !== 'switch') throw new Error(`${node} is to boot no other image`)
  return work
}

/** Whether what it is to boot is still to be written into its other slot. */
export const isToBeInstalled = (work: Work): work is Switch => work.kind === 'switch' && work.how !== 'reboot: it waits'

/** Hash of the machine configuration under which what waits was installed, as far as the plan knows. */
export const installedOn = (work: Work): string | undefined =>
  work.kind === 'switch' && work.how === 'reboot: it waits' ? work.installedOn : undefined

/** Hash of the machine configuration that it boots although another one runs, as the person asked for. */
export const pendingOf = (work: Work): string | undefined => (work.kind === 'restart' ? work.pending : undefined)

/** `force` skips the node's own shutdown, `powercycle` goes through the firmware. */
export type RebootMode = 'default' | 'powercycle' | 'force'

/** A node's part in Kubernetes, as it was planned. */
export type KubernetesPlan = {
  /** name of the Node object */
  name: string
  /** version that its kubelet has to run when it is back: no upgrade of Talos changes it */
  kubeletVersion: string
  drain: Drain
  /** names of the gates that have to hold when it is back */
  gates: string[]
  /** absent where all is well */
  unwell?: Unwell
}

/** What becomes of the pods of a node when its turn comes; `whyNot` says why they stay, as it looks now, in a few words. */
export type Drain =
  /** it is cordoned, and what can move elsewhere is evicted */
  | {
      how: 'drained'
      /** pods, as `namespace/name` */
      evicts: string[]
      /** what would hold the drain up, or costs somebody something: for people, and for the refusal */
      obstacles: Obstacle[]
    }
  /** what comes to it until its turn is moved again all the same */
  | { how: 'cordoned only'; whyNot: string; obstacles: Obstacle[] }
  | { how: 'left alone'; whyNot: string }

/** What is not well of a node in Kubernetes before the run: it is named, and not waited for afterwards. */
export type Unwell = {
  /** why its Node is not ready */
  node?: string
  /** static pods and DaemonSets of which its pod is not ready */
  pods: string[]
  /** pods that hang in Terminating */
  hanging: string[]
  /** VolumeAttachments whose volume is gone */
  attachments: string[]
}

/** A cordon that a run left behind which no longer exists. */
export type StaleCordon = { node: string; run: string }

/** Done for the cluster as a whole, one after another. */
export type Chore = {
  /** goal of the waves that it waits for; absent where it comes before all of them */
  after?: Goal
} & (Clearing | Snapshot)

/** Also on nodes that are not wished. */
type Clearing = { step: 'clear-cordons'; cordons: StaleCordon[] }

/** A verified one, taken from that node. */
type Snapshot = { step: 'snapshot-etcd'; node: NodeName }

/** How far a wave takes its nodes. `turn` takes them down and brings them back. */
export type Goal = 'pull' | 'install' | 'turn'

/** Nodes that start in this order; the next wave begins when all of them have ended. */
export type Wave = {
  goal: Goal
  nodes: NodeName[]
  /** a bound of its own; what takes nodes down keeps to the policy, which is one for all waves */
  atOnce?: number
}

/** Who may be down beside whom, and what a failure means for the others: one for all waves. */
export type Policy = {
  /** workers that may be down at once */
  workersAtOnce: number
  /** workers need not wait for control planes, wherever they stand in the same wave */
  workersBesideControlPlanes: boolean
  /** a node that failed does not keep the others from going: asked for with --keep-going */
  keepGoing: boolean
  /** a drain that was given up does not keep the others from going */
  passOverBlocked: boolean
  acceptEtcdOutage: boolean
}

export type Plan = {
  v: typeof PLAN_VERSION
  verb: VerbName
  cluster: ClusterName
  /** what it takes the nodes to, as people say it; absent where they run afterwards what they ran */
  target?: string
  nodes: NodePlan[]
  chores: Chore[]
  waves: Wave[]
  policy: Policy
  /** control planes of the whole cluster, for the gates */
  controlPlanes: NodeName[]
  notes: string[]
}

/** A journal whose plan has another one can not be followed. */
export const PLAN_VERSION = 2

/** Nodes to which something is done, in the order in which they go down. */
export const sequenceOf = ({ waves }: Pick<Plan, 'waves'>): NodeName[] =>
  waves.filter(({ goal }) => goal === 'turn').flatMap(({ nodes }) => nodes)

/** Whether carrying the plan out would change nothing at all. */
export const isEmpty = ({ waves, chores }: Plan): boolean => waves.length === 0 && chores.length === 0
