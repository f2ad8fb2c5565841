/** Plans and clusters for tests, as small as they can be said. */
import type { Role } from '../../workflows/model/cluster.ts'
import type { NodePlan, Plan } from '../../workflows/plan/plan.ts'

export const nodePlan = (node: string, role: Role, more: Partial<NodePlan> = {}): NodePlan => ({
  node,
  address: '127.0.0.1',
  role,
  work: 'upgrade',
  path: 'lifecycle',
  from: 'v1.13.5',
  to: 'v1.13.9',
  image: 'factory.talos.dev/metal-installer/s:v1.13.9',
  schematic: 's',
  schematicBefore: 's',
  bootId: `${node}-before`,
  otherSlot: { state: 'quiet' },
  why: 'v1.13.5 to v1.13.9',
  ...more,
})

/** The canary is the first worker, else the first control plane. */
export function upgradePlan(nodes: NodePlan[], more: Partial<Plan> = {}): Plan {
  const working = nodes.filter((n) => n.work !== 'none')
  const canary = working.find((n) => n.role === 'worker') ?? working[0]
  const rest = working.filter((n) => n !== canary)
  const order = [...rest.filter((n) => n.role === 'controlplane'), ...rest.filter((n) => n.role === 'worker')]
  const controlPlanes = nodes.filter((n) => n.role === 'controlplane').map((n) => n.node)
  const [snapshotFrom] = controlPlanes
  return {
    verb: 'upgrade',
    cluster: 'cluster-7',
    to: 'v1.13.9',
    nodes,
    ...(canary ? { canary: canary.node } : {}),
    order: order.map((n) => n.node),
    controlPlanes,
    parallelism: 1,
    workersBesideControlPlanes: false,
    keepGoing: false,
    passOverBlocked: false,
    staleCordons: [],
    pullParallelism: 4,
    ...(snapshotFrom && working.some((n) => n.role === 'controlplane') ? { snapshotFrom } : {}),
    acceptEtcdOutage: false,
    notes: [],
    ...more,
  }
}
