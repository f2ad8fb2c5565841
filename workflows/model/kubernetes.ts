/** What was seen of Kubernetes: only what a drain, its forecast and the gates need to know. */
import type { Failure } from './failure.ts'

export type KubernetesObservation = { answers: false; failure: Failure } | ({ answers: true } & KubernetesFacts)

/** Something that the API server lets a user do, or not. */
export type Right = {
  verb: string
  /** with its subresource, as `pods/eviction` */
  resource: string
  group: string
  /** absent: in the whole cluster */
  namespace?: string
}

/** A right that a kubeconfig lacks; `user` as the API server calls whoever asks. */
export type Denied = Right & { user: string }

/** One read of the whole cluster, and what the API server said when it was asked about the suspects. */
export type KubernetesFacts = KubernetesRead & {
  /** evictions that were tried without being carried out, by `namespace/name` of the pod */
  trials: Readonly<Record<string, EvictionTrial>>
  /** the gates of operations.yaml, tried once, in their order */
  gates: GateTrial[]
  /** what of a run the kubeconfig has no right to; empty where nobody asked */
  denied: readonly Denied[]
  /** the API server's own time (ISO), asked where pods are ending: clocks of two machines are not compared */
  now?: string
}

export type KubernetesRead = {
  nodes: KubeNode[]
  pods: KubePod[]
  budgets: DisruptionBudget[]
  attachments: VolumeAttachment[]
}

export type KubeNode = {
  /** the node's name in Kubernetes, which need not be the host name that is declared */
  name: string
  /** InternalIP addresses */
  addresses: string[]
  ready: boolean
  /** why it is not ready, as its condition says */
  detail?: string
  unschedulable: boolean
  /** our annotation, where the cordon is ours */
  mark?: CordonMark
  /** our annotation, where that is not so */
  staleMark?: StaleMark
  /** our annotation about the installation that was begun last */
  install?: InstallMark
  /** cordoned by Talos itself, which takes that back after its next boot */
  cordonedByTalos?: true
  kubeletVersion: string
  /** of the boot in which its kubelet last registered; the same id that Talos reads from its kernel */
  bootId?: string
  labels: Readonly<Record<string, string>>
  taints: Taint[]
  resourceVersion: string
}

export type Taint = { key: string; value?: string; effect: string }

/**
 * What we write beside a cordon of ours (annotation `talos-workflows/cordon`, as JSON), in the same patch. A node that
 * somebody else had cordoned gets none, and stays cordoned.
 */
export type CordonMark = {
  /** the run that cordoned */
  run: string
  /** ISO time */
  at: string
}

/** A mark that outlived its cordon: it gives nobody the right to lift one. `unknown-cordon`: the Node does not tell whose it is. */
export type StaleMark = CordonMark & { beside: 'no-cordon' | 'foreign-cordon' | 'unknown-cordon' }

/**
 * What we write on a Node before the other slot of its machine is written (annotation `talos-workflows/install`, as JSON): it
 * counts for as long as that boot lasts. Earlier versions wrote no hash.
 */
export type InstallMark = {
  bootId: string
  image: string
  run: string
  /** hash of the machine configuration that the installer judged, where it could be read */
  configuration?: string
}

export type KubePod = {
  namespace: string
  name: string
  uid: string
  /** Kubernetes name of the node that it is bound to */
  node?: string
  /** Pending, Running, Succeeded, Failed, Unknown */
  phase: string
  ready: boolean
  /** why a container of it does not run: CrashLoopBackOff, ImagePullBackOff … */
  trouble?: string
  terminating: boolean
  /** when it should have ended (ISO) */
  endsAt?: string
  /** how long it may take to end */
  graceMs: number
  finalizers: string[]
  labels: Readonly<Record<string, string>>
  /** the owner that is marked as controller; a bare pod has none */
  controller?: { kind: string; name: string }
  /** mirrors a static pod: the API server can not evict it */
  mirror: boolean
  /** emptyDir volumes by name: their content is lost with the pod */
  emptyDirs: string[]
  /** claims that it mounts */
  claims: string[]
  /** where it may run */
  placement: Placement
}

export type Placement = {
  nodeSelector: Readonly<Record<string, string>>
  /** required node affinity: terms are alternatives, expressions of a term must all hold */
  affinity: { key: string; operator: string; values: string[] }[][]
  tolerations: Toleration[]
  /** required anti-affinity against pods with these labels, per topology key */
  apart: { topologyKey: string; selector: LabelSelector; namespaces: string[] }[]
}

export type Toleration = { key?: string; operator?: string; value?: string; effect?: string }

export type LabelSelector = {
  matchLabels?: Readonly<Record<string, string>>
  matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[]
}

export type DisruptionBudget = {
  namespace: string
  name: string
  /** absent: it selects nothing; empty: every pod of its namespace */
  selector?: LabelSelector
  disruptionsAllowed: number
  currentHealthy: number
  desiredHealthy: number
  expectedPods: number
  /** `AlwaysAllow` lets pods that are not ready be evicted whatever the budget says */
  unhealthyPodEviction?: string
}

export type VolumeAttachment = {
  name: string
  node: string
  volume: string
  attached: boolean
  claim?: string
  /** its PersistentVolume is not there any more; known only where volumes were read with it */
  orphaned?: true
}

/** What the API server answered to an eviction with `dryRun=All`. */
export type EvictionTrial = { allowed: boolean; detail: string }

/**
 * How a gate stood: `wrong` is a gate that can not be evaluated at all, such as a kind that does not exist; `manifest` what it
 * would take to be allowed to look.
 */
export type GateTrial = {
  gate: string
  state: 'met' | 'unmet' | 'wrong'
  detail: string
  manifest?: string | undefined
}
