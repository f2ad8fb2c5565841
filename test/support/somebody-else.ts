import type { LeaseObject } from '../../scripts/cluster/kubernetes.ts'
import { type Holder, processIdentity, thisHolder } from '../../scripts/engine/process-identity.ts'

/** A run of somebody else who is alive: the process that started this one. */
export const somebodyElse: Holder = {
  ...thisHolder('upgrade of cluster-7'),
  pid: process.ppid,
  identity: processIdentity(process.ppid) ?? '',
}

/** The Lease, as it stands while they hold it. */
export const theirLease: LeaseObject = {
  metadata: {
    ...{ name: 'talos-workflows', namespace: 'kube-system' },
    annotations: { 'talos-workflows/holder': JSON.stringify(somebodyElse) },
  },
  spec: {
    holderIdentity: `${somebodyElse.user}@${somebodyElse.host}/${somebodyElse.pid}-${somebodyElse.identity.split(' ').at(-1)}`,
    leaseDurationSeconds: 600,
  },
}
