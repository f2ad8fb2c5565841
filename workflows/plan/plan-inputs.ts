import type { Cluster } from '../model/cluster.ts'

/**
 * What of a declaration a plan is made of, or that its approval is worth something by. What steps read anew as they go makes no
 * other plan: how long is waited for what, above all. So an unfinished run is carried on where only that was changed.
 */
export function planInputs({ talosContract: _, operations, ...declared }: Cluster): object {
  const { upgrade, etcd, drain, access, gates } = operations
  const { soakMs: _soak, ...policy } = upgrade
  const { acceptOutage } = etcd
  const { timeoutMs: _timeout, detachMs: _detach, ...drains } = drain
  return { ...declared, operations: { upgrade: policy, etcd: { acceptOutage }, drain: drains, access, gates } }
}
