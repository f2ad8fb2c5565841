/** What an upgrade will do, decided before anything is touched. Plain JSON: it stands in the journal's first record. */
import type { ClusterName, NodeName, Role, TalosVersion } from '../model/cluster.ts'
import type { OtherSlot } from '../model/observation.ts'

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
  otherSlot: OtherSlot
  /** one sentence: why this node is upgraded, finished, or left alone */
  why: string
}

export type UpgradePlan = {
  verb: 'upgrade'
  cluster: ClusterName
  to: TalosVersion
  nodes: NodePlan[]
  /** the node that goes first and alone; absent when nothing is to do */
  canary?: NodeName
  /** after the canary, in this order; control planes stand before workers */
  order: NodeName[]
  /** control planes of the whole cluster, for the gates */
  controlPlanes: NodeName[]
  parallelism: number
  pullParallelism: number
  /** where the verified snapshot of etcd is taken; absent when no control plane is taken down */
  snapshotFrom?: NodeName
  acceptEtcdOutage: boolean
  notes: string[]
}
