/** What is declared: a cluster, its nodes, and the policy for operating them. Made by the parsers, never by hand. */

export type ClusterName = string
export type NodeName = string
/** `v1.13.9`, always with the v */
export type TalosVersion = string

export type Role = 'controlplane' | 'worker'

export type NodeDeclaration = {
  name: NodeName
  address: string
  role: Role
  /** declared schematic id; the running one is kept where none is declared */
  schematic?: string
  /** extensions of the declared schematic, `siderolabs/iscsi-tools`; lets a change of schematic prove that none is lost */
  extensions?: string[]
}

export type Cluster = {
  /** `101` */
  id: string
  /** `cluster-101` */
  name: ClusterName
  talosVersion: TalosVersion
  kubernetesVersion: string
  /** host part of the Kubernetes endpoint */
  endpointHost: string
  /** virtual IP of the control plane: never used to reach Talos */
  vip?: string
  nodes: NodeDeclaration[]
  operations: Operations
}

/** The nodes that vote in etcd, in the order of the declaration. */
export const controlPlanesOf = (cluster: Cluster): NodeDeclaration[] =>
  cluster.nodes.filter((node) => node.role === 'controlplane')

/** operations.yaml with its defaults filled in. */
export type Operations = {
  upgrade: {
    /** workers that may be down at once; control planes always go one at a time */
    parallelism: number
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
  /** how templates are read; the defaults are Jinja's own, but for the end of the file */
  templates: TemplateOptions
  generate: {
    /** what Talos runs on: checks differ in what a machine must say */
    mode: 'metal' | 'cloud' | 'container'
    /** Helm values of Cilium, from the folder that holds clusters/: what they need of Talos is checked */
    ciliumValues?: string
  }
  /** longest time for each phase on one node, in milliseconds */
  deadlines: Deadlines
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
