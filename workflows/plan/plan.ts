/** What a run will do, decided before anything is touched. Plain JSON: it stands in the journal's first record. */
import type { ClusterName, NodeName, Role, TalosVersion } from '../model/cluster.ts'
import type { OtherSlot } from '../model/observation.ts'
import type { VerbName } from './verb.ts'

export type NodeWork =
  /** pull, install, reboot */
  | 'upgrade'
  /** the image waits in the other slot already: reboot only */
  | 'finish'
  | 'none'

export type NodePlan = {
  node: NodeName
  address: string
  role: Role
  work: NodeWork
  /** `lifecycle`: install and reboot are two calls (Talos ≥ 1.13); `legacy`: one call does both */
  path: 'lifecycle' | 'legacy'
  from: TalosVersion
  to: TalosVersion
  image: string
  schematicBefore?: string
  schematic: string
  bootId: string
  /** kernel arguments that it runs with and that are not Talos' own; absent where they are not known */
  kernelArguments?: string[]
  otherSlot: OtherSlot
  /** conditions of the machine that are not met before the run; absent where it is ready */
  unmet?: string[]
  /** hash of the machine configuration under which the version that waits was installed, where that is known */
  installedOn?: string
  /** one sentence: why this node is upgraded, finished, or left alone */
  why: string
  /** absent where Kubernetes does not answer, or does not know the node */
  kubernetes?: KubernetesPlan
}

/** A node's part in Kubernetes, as it was planned. */
export type KubernetesPlan = {
  /** name of the Node object */
  name: string
  /** version that its kubelet has to run when it is back: no upgrade of Talos changes it */
  kubeletVersion: string
  /** it is cordoned, and what can move elsewhere is evicted when its turn comes */
  drain: boolean
  /** why nothing is evicted, as it looks now, in a few words */
  whyNot?: string
  /** names of the gates that have to hold when it is back */
  gates: string[]
  /** pods that the drain evicts, as `namespace/name` */
  evicts: string[]
  /** what would hold the drain up, or costs somebody something: for people, and for the refusal */
  obstacles: Obstacle[]
  /** absent where all is well */
  unwell?: Unwell
}

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

/** Something that a drain runs into. `blocks`: it would not end by itself. */
export type Obstacle = {
  kind:
    | 'budget'
    | 'two-budgets'
    | 'bare'
    | 'local-data'
    | 'nowhere'
    | 'single-replica'
    | 'finalizer'
    | 'grace'
    | 'hanging'
    | 'orphaned-attachment'
  /** `namespace/name`; absent where no pod is in the way */
  pod?: string
  blocks: boolean
  /** `namespace/name` of the PodDisruptionBudget */
  budget?: string
  disruptionsAllowed?: number
  /** the whole in words */
  detail: string
  /** what to type about it */
  hint?: string
}

/** A cordon that a run left behind which no longer exists. */
export type StaleCordon = { node: string; run: string }

export type Plan = {
  verb: VerbName
  cluster: ClusterName
  to: TalosVersion
  nodes: NodePlan[]
  /** the node that goes first and alone; absent when nothing is to do */
  canary?: NodeName
  /** after the canary, in this order; control planes stand before workers */
  order: NodeName[]
  /** control planes of the whole cluster, for the gates */
  controlPlanes: NodeName[]
  /** workers that may be down at once */
  parallelism: number
  /** workers need not wait for the control planes, only for the canary */
  workersBesideControlPlanes: boolean
  /** a node that failed does not keep the others from going: asked for with --keep-going */
  keepGoing: boolean
  /** a drain that was given up does not keep the others from going */
  passOverBlocked: boolean
  /** cleared before anything else, also on nodes that are not wished */
  staleCordons: StaleCordon[]
  pullParallelism: number
  /** where the verified snapshot of etcd is taken; absent when no control plane is taken down */
  snapshotFrom?: NodeName
  acceptEtcdOutage: boolean
  notes: string[]
}

/** Whether carrying the plan out would change nothing at all. */
export const isEmpty = ({ canary, staleCordons }: Plan): boolean => canary === undefined && staleCordons.length === 0
