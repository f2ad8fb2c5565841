/** What was seen of a cluster at one moment, completely: never a sample. */
import type { NodeName, Role, TalosVersion } from './cluster.ts'
import type { Failure, Result } from './failure.ts'
import type { KubernetesObservation } from './kubernetes.ts'

export type Observation = {
  /** ISO time at which the observation began */
  at: string
  /** every declared node that was asked: all targets, and all control planes */
  nodes: Record<NodeName, NodeObservation>
  etcd: EtcdObservation
  kubernetes: KubernetesObservation
  /** of nodes that may be changed; absent where nothing is */
  configurations?: Record<NodeName, Result<Configuration>>
}

export type NodeObservation = { reachable: false; failure: Failure } | ({ reachable: true } & NodeFacts)

export type NodeFacts = {
  version: TalosVersion
  /** as `talosctl get machinestatus` says: running, booting, maintenance … */
  stage: string
  ready: boolean
  /** unmet conditions as `name: reason` */
  unmet: string[]
  bootId: string
  /** id of the running Image Factory schematic; absent for images from elsewhere */
  schematic?: string
  /** names of the system extensions that run, without the virtual `schematic` */
  extensions: string[]
  /** kernel arguments of the running schematic, where its content is told */
  schematicArguments?: string[]
  /** what the kernel was started with, without values that look like secrets */
  kernelCmdline?: string
  /** `metal`, `hcloud`, `nocloud` … */
  platform: string
  secureBoot: boolean
  role: Role
  /** as HostnameStatuses say; absent where it could not be read */
  hostname?: string
  /** what Talos has its kubelet register as; absent before the first time */
  nodename?: string
  /** version of the kubelet image, `v1.36.1` */
  kubeletVersion?: string
  otherSlot: OtherSlot
  /** how long a question of its own took, where it was long */
  slowMs?: number
}

/** What is known of a node's machine configuration, without a word of it: it is full of secrets. */
export type Configuration = {
  /** of what runs and what is on disk */
  hash: string
  /** `perhaps-on-trial`: it was changed since the boot, and what is on disk is not shown */
  pending: 'nothing' | 'other-on-disk' | 'perhaps-on-trial'
  /** `machine.install.extraKernelArgs`, without values that look like secrets; absent where there are none */
  kernelArguments?: string[]
  /** by the talosctl of the release that it is to run next; `objection` says why that does not take it */
  judged?: { for: TalosVersion; objection?: string }
}

/** What a node runs, and what waits in its other slot: the facts that an upgrade changes. */
export type Inspection = Pick<
  NodeFacts,
  'version' | 'bootId' | 'stage' | 'ready' | 'unmet' | 'schematic' | 'extensions' | 'otherSlot'
>

/**
 * What the log of machined says since the last boot about the slot that does not run
 * (internal/app/lifecycle/lifecycle.go: no resource says it).
 */
export type OtherSlot =
  | { state: 'quiet' }
  | { state: 'installing'; image: string }
  | { state: 'installed'; image: string; at?: string }
  | { state: 'install-failed'; image: string; exitCode?: number }
  /** `over`: the image whose installation had ended in the same boot, and may wait still */
  | { state: 'cut-off'; image: string; over?: string }
  | { state: 'unknown'; why: SlotUnknown }

/** Why it is not known what waits: the log could not be read, has lost its beginning, or is worded in a way we do not know. */
export type SlotUnknown = 'unread' | 'wrapped' | 'wording'

export type EtcdObservation = {
  /** one entry per declared control plane, but for machines in maintenance that no list names */
  members: EtcdMember[]
  /** ids of members that no declared control plane accounts for */
  undeclared: { id: string; hostname: string; learner: boolean; addresses?: string[] }[]
  /** control planes whose member list differs from that of the first one that answered */
  disagreements: { node: NodeName; detail: string }[]
  alarms: { node?: NodeName; kind: string }[]
  /**
   * What a control plane was asked about etcd and did not say, so that an empty list above means nothing of it. Whether
   * its own status was read stands at its member.
   */
  unread: { node: NodeName; what: 'members' | 'alarms'; failure: Failure }[]
}

export type EtcdMember = {
  node: NodeName
  /** hex id; absent when no list names the node */
  id?: string
  /** a member without a name was added and never started */
  started: boolean
  learner: boolean
  leader: boolean
  /** `etcd status` of the node itself was read */
  answers: boolean
  appliedIndex?: number
  raftIndex?: number
  dbSize?: string
  errors: string[]
  /** why `etcd status` of the node could not be read */
  failure?: Failure
}
