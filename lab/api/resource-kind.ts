import type { LabNode } from '../lab-node.ts'

/** One resource as its kind makes it from the node's state; `yaml` and `proto` say the same in their two spellings. */
export type ResourceItem = {
  id: string
  /** what `talosctl get` prints; Talos' YAML field names */
  yaml: unknown
  /** what typed readers decode; left out where only `talosctl get` reads the kind */
  proto?: object
  annotations?: Readonly<Record<string, string>>
}

/** A type of resource: how talosctl finds it, and its resources on a node now. */
export type ResourceKind = {
  /** like `MachineStatuses.runtime.talos.dev` */
  type: string
  /** singular of the name */
  display: string
  namespace: string
  /** beyond those that follow from the name */
  aliases?: readonly string[]
  columns: readonly (readonly [name: string, jsonPath: string])[]
  /** the release that brought it; older nodes have not heard of it */
  since?: string
  /** for os:admin only */
  sensitive?: boolean
  /** changes while the node runs: its versions count every change, seen or not; `items` must not be async then */
  live?: boolean
  /** message of lab/proto that `proto` is */
  spec?: string
  items(node: LabNode, cluster: readonly LabNode[]): readonly ResourceItem[] | Promise<readonly ResourceItem[]>
}
