/** What every step is handed: the cluster as declared, the way to talk to it, and where its files are. */
import type { Cluster, NodeDeclaration, NodeName } from '../../workflows/model/cluster.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import type { StepContext } from '../engine/driver.ts'
import type { InstallMemory } from '../steps/install-memory.ts'
import type { Kubernetes } from './kubernetes.ts'
import type { Sight } from './sight.ts'
import type { Talos } from './talos.ts'

export type World = {
  cluster: Cluster
  talos: Talos
  kubernetes: Kubernetes
  sight: Sight
  acceptEtcdOutage: boolean
  /** folder for etcd snapshots */
  snapshots: string
  /** earlier runs that have asked no node to go down */
  tookNoneDown: ReadonlySet<string>
  /** name of the run, for what outlives it: files, and the marks beside our cordons */
  run: string
  installs: InstallMemory
  /** of all nodes: the boots that they were planned in tell them apart */
  plans: readonly NodePlan[]
  /** whether the node's API port takes connections: much cheaper than asking it anything */
  knocks: (node: NodeDeclaration, signal: AbortSignal) => Promise<boolean>
}

export function declaredNode(world: World, name: NodeName): NodeDeclaration {
  const node = world.cluster.nodes.find((n) => n.name === name)
  if (!node) throw new Error(`${name} is not declared`)
  return node
}

/** What Kubernetes calls the node. */
export const kubernetesName = ({ kubernetes, node }: NodePlan): string => kubernetes?.name ?? node

/** Options of a read during a step. */
export const reading = (world: World, context: StepContext) => ({
  signal: context.signal,
  timeoutMs: world.cluster.operations.deadlines.observeMs,
})

/** Options of a question to Kubernetes about a node, which is not asked through that node's own API server. */
export const asking = (world: World, plan: NodePlan, context: StepContext) => ({
  ...reading(world, context),
  avoid: plan.address,
})
