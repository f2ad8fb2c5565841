import type { Problem } from '../problem.ts'

/** A value of a declaration, and the way to complain about it where it was written. */
export type Located<T = string> = {
  value: T
  file: string
  line: number
  at(message: string, hint?: string): Problem
}

/**
 * What the rules among values look at, whichever files a cluster is declared in. Every value is as it was written, so a
 * mistake of shape in one place does not hide the others; what can not be read is passed over, since the shape says it.
 */
export type Topology = {
  /** host part of the Kubernetes endpoint */
  endpoint: Located | undefined
  vip: Located | undefined
  gateway: Located | undefined
  nodeNetworks: Located[]
  podNetworks: Located[]
  serviceNetworks: Located[]
  privateNetworks: Located[]
  /** addresses in the network of the nodes that belong to something else: `cluster_gateway_addr` */
  taken: (Located & { what: string })[]
  talosVersion: Located | undefined
  /** form of the configurations, where the declaration itself says it */
  talosContract?: Located | undefined
  kubernetesVersion: Located | undefined
  /** pods run on control planes, where the declaration says so */
  schedulingOnControlPlanes: Located<boolean> | undefined
  /** the key that lists the nodes, for what is wrong with them as a whole */
  nodesKey(message: string, hint?: string): Problem
  /** what the declaration calls things, where hints name them */
  terms?: { controlPlane: string; withoutTpm: string }
  nodes: TopologyNode[]
}

export type TopologyNode = {
  hostname: Located | undefined
  addresses: Located[]
  macs: Located[]
  controlPlane: boolean
  disk: Located<unknown> | undefined
  diskSelector: Located<unknown> | undefined
  secureboot: boolean
  /** disk encryption by TPM */
  tpm: Located<unknown> | undefined
}
