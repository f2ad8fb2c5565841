/** What is declared: a cluster, its nodes, and the policy for operating them. Made by the parsers, never by hand. */

export type ClusterName = string
export type NodeName = string
/** `v1.13.9`, always with the v */
export type TalosVersion = string

export type Role = 'controlplane' | 'worker'

export type NodeDeclaration = {
  name: NodeName
  /** where it is asked */
  address: string
  /** further ones that are declared for it: others may know it by them */
  otherAddresses?: string[]
  role: Role
  /** declared schematic id; the running one is kept where none is declared */
  schematic?: string
  /** extensions of the declared schematic, `siderolabs/iscsi-tools`; lets a change of schematic prove that none is lost */
  extensions?: string[]
  /** kernel arguments that are declared, and so part of the schematic that is made of them */
  kernelArgs?: string[]
}

export type Cluster = {
  /** `101` */
  id: string
  /** `cluster-101` */
  name: ClusterName
  talosVersion: TalosVersion
  /** `v1.13`: the form of the configurations, where it is declared; see `contractOf` */
  talosContract?: string
  kubernetesVersion: string
  /** host part of the Kubernetes endpoint */
  endpointHost: string
  /** virtual IP of the control plane: never used to reach Talos */
  vip?: string
  nodes: NodeDeclaration[]
  operations: Operations
}

/** The nodes that vote in etcd, in the order of the declaration. */
export const controlPlanesOf = ({ nodes }: Pick<Cluster, 'nodes'>): NodeDeclaration[] =>
  nodes.filter((node) => node.role === 'controlplane')

/** operations.yaml with its defaults filled in. */
export type Operations = {
  upgrade: {
    /** workers that may be down at once: a number, or a share of all workers like `25%`; control planes go one at a time */
    maxUnavailable: number | `${number}%`
    /** workers may go while control planes do, once the canary is through */
    workersBesideControlPlanes: boolean
    /** how long a node that returned has to stay ready before it counts, in milliseconds */
    soakMs: number
    /** nodes that pull or install at once */
    pullParallelism: number
    /** host of the Image Factory that serves the installers */
    factory: string
  }
  etcd: {
    /** a cluster of one or two members may lose quorum while a node reboots */
    acceptOutage: boolean
    /** raft entries that a member may be behind the leader and still count as caught up */
    lagBound: number
    /** snapshots that are kept */
    keepSnapshots: number
  }
  drain: DrainPolicy
  access: {
    /** `skip`: no Lease keeps runs of other computers away, because the kubeconfig may not keep one */
    lease: 'keep' | 'skip'
  }
  /** what has to hold after each node's return, besides what always has to */
  gates: Gate[]
  /** how templates are read; the defaults are Jinja's own, but for the end of the file */
  templates: TemplateOptions
  generate: {
    /** what Talos runs on: checks differ in what a machine must say */
    mode: 'metal' | 'cloud' | 'container'
    /** Helm values of Cilium, from the folder that holds clusters/: what they need of Talos is checked */
    ciliumValues?: string
    /** form of the configurations, where the declaration itself has no place for it */
    contract?: string
  }
  /** longest time for each phase on one node, in milliseconds */
  deadlines: Deadlines
  /** a command for the shell that is given the report of every run which did or refused something */
  after?: string
}

/** How nodes are emptied before they go down. */
export type DrainPolicy = {
  /** false: nodes are taken down with their pods on them */
  enabled: boolean
  /** longest time for the evictions of one node */
  timeoutMs: number
  /** longest time until the volumes of its pods are detached */
  detachMs: number
  /** evicts bare pods too, which nothing brings back */
  force: boolean
  /** deletes pods instead of evicting them: no PodDisruptionBudget is asked */
  disableEviction: boolean
  /** pods that stay on the node, as one requirement of a label selector: `app=x`, `app`, `app in (x, y)` */
  skip?: string
  /**
   * budgets that an operator lifts or moves away once the node is cordoned, as `namespace/name` with `*` for anything:
   * the plan counts on that, and the drain waits for it
   */
  liftedBudgets: readonly string[]
  /** what becomes of a run whose forecast says that a drain would block */
  whenBlocked: 'refuse' | 'try'
  /** what becomes of the other nodes when a drain was given up */
  whenGivenUp: 'stop' | 'continue'
}

/** A condition in the terms of `kubectl wait`. */
export type Gate = {
  name: string
  /** `pod/web-0`, `deployments`, `cephclusters.ceph.rook.io/rook-ceph` */
  resource: string
  /** `condition=Available`, `jsonpath={.status.phase}=Ready` */
  for: string
  namespace?: string
  /** label selector, instead of a name in `resource` */
  selector?: string
  timeoutMs: number
}

export type TemplateOptions = {
  /** minijinja comes along; jinja2 is the person's own python3 with the package jinja2 */
  engine: 'minijinja' | 'jinja2'
  trimBlocks: boolean
  lstripBlocks: boolean
  keepTrailingNewline: boolean
  undefined: 'strict' | 'chainable' | 'default'
  /** opening and closing marks, for templates written for makejinja; jinja2 only */
  delimiters?: { block: [string, string]; variable: [string, string]; comment: [string, string] }
}

export type Deadlines = {
  observeMs: number
  pullMs: number
  installMs: number
  /** from the reboot request until the node answers again */
  rebootMs: number
  /** from the first answer until running and ready */
  readyMs: number
  /** from ready until the etcd member votes and has caught up */
  etcdMs: number
  snapshotMs: number
}
