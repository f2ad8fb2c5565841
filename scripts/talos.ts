/** What steps may ask of a Talos cluster, in the field's words. `createTalos` answers with the real talosctl. */
import type { NodeDeclaration, NodeName } from '../workflows/model/cluster.ts'
import type { Result } from '../workflows/model/failure.ts'
import type { EtcdObservation, NodeObservation } from '../workflows/model/observation.ts'

export type CallOptions = {
  /** aborts the command with its process group; ignored by `install` and `upgradeLegacy`, which are never cut off */
  signal?: AbortSignal
  timeoutMs: number
  /** file that the command's shell writes its pid to before it becomes the tool; how a later run finds an orphan */
  processFile?: string
}

/** The few things that tell whether a node came back, read in one go. */
export type Glance = { version: string; bootId: string; stage: string; ready: boolean; unmet: string[] }

export interface Talos {
  /** Everything about the nodes that can be read; a node that does not answer carries why. Never rejects. */
  observeNodes(
    nodes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<Record<NodeName, NodeObservation>>
  /** Every declared control plane's own view of etcd, laid side by side. Never rejects. */
  observeEtcd(
    controlPlanes: readonly NodeDeclaration[],
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<EtcdObservation>
  glance(node: NodeDeclaration, options: Omit<CallOptions, 'processFile'>): Promise<Result<Glance>>
  /**
   * Streams the machine's stage from the node itself until the stream breaks or the signal aborts.
   * `seen` is called with the present state first. Resolves when the stream ended, for whatever reason.
   */
  watchStage(
    node: NodeDeclaration,
    seen: (status: { stage: string; ready: boolean; unmet: string[] }) => void,
    options: Omit<CallOptions, 'processFile'>,
  ): Promise<void>
  /** Pulls the installer image into the node's system namespace. */
  pull(node: NodeDeclaration, image: string, options: CallOptions): Promise<Result<void>>
  /** `upgrade --no-reboot`: writes the other slot and leaves the node running. Node ≥ 1.13.0 only. */
  install(node: NodeDeclaration, image: string, options: CallOptions): Promise<Result<void>>
  /** The one call of Talos below 1.13 that installs and reboots; `force` skips the node's own etcd check. */
  upgradeLegacy(node: NodeDeclaration, image: string, options: CallOptions & { force: boolean }): Promise<Result<void>>
  /** Asks for a reboot and does not wait for it. */
  reboot(node: NodeDeclaration, options: CallOptions): Promise<Result<void>>
  forfeitLeadership(node: NodeDeclaration, options: CallOptions): Promise<Result<void>>
  /** Saves a snapshot of the node's etcd member to `path` (0600) and has it verified; resolves with what was verified. */
  snapshot(node: NodeDeclaration, path: string, options: CallOptions): Promise<Result<{ info: string }>>
}
