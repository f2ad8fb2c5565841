import { parseAllDocuments } from 'yaml'
import type { PemPair } from '../api/certificates.ts'

/** What the machine configuration of a control plane says about the Kubernetes that it is part of. */
export type ClusterIdentity = {
  name: string
  /** `https://127.0.101.10:6443` */
  endpoint: string
  authority: PemPair
  /** PEM key that signs service account tokens */
  serviceAccountKey: string
  serviceSubnet: string
  /** control planes carry no taint, so that pods run there */
  schedulesOnControlPlanes: boolean
}

const pem = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('utf8')

/** Reads it; fails with an Error where there is no authority in it, as in a worker's configuration. */
export function clusterIdentity(machineConfig: string): ClusterIdentity {
  const [document] = parseAllDocuments(machineConfig)
  const { cluster } = (document?.toJS() ?? {}) as {
    cluster?: {
      clusterName?: string
      controlPlane?: { endpoint?: string }
      ca?: { crt?: string; key?: string }
      serviceAccount?: { key?: string }
      network?: { serviceSubnets?: string[] }
      allowSchedulingOnControlPlanes?: boolean
    }
  }
  const authority = { crt: pem(cluster?.ca?.crt), key: pem(cluster?.ca?.key) }
  const serviceAccountKey = pem(cluster?.serviceAccount?.key)
  const endpoint = cluster?.controlPlane?.endpoint
  if (authority.crt === '' || authority.key === '' || serviceAccountKey === '' || endpoint === undefined)
    throw new Error('the configuration of the first control plane holds no authority of Kubernetes')
  return {
    name: cluster?.clusterName ?? 'lab',
    endpoint,
    authority,
    serviceAccountKey,
    serviceSubnet: cluster?.network?.serviceSubnets?.[0] ?? '10.96.0.0/12',
    schedulesOnControlPlanes: cluster?.allowSchedulingOnControlPlanes === true,
  }
}
