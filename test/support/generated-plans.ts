/** Plans as the verbs make them of small clusters, whose nodes are seen in every state in which a run may find one. */
import type { Cluster, NodeDeclaration, Role } from '../../workflows/model/cluster.ts'
import { failure } from '../../workflows/model/failure.ts'
import type { NodeFacts, NodeObservation, Observation } from '../../workflows/model/observation.ts'
import type { VerbName } from '../../workflows/model/verb-name.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import { reboot } from '../../workflows/plan/reboot.ts'
import { upgrade } from '../../workflows/plan/upgrade.ts'
import { defaultOperations } from './default-operations.ts'
import { kubeNode, kubernetesFacts } from './kubernetes-facts.ts'

const image = 'factory.talos.dev/metal-installer/s:v1.13.9'

/** How a node is seen. `ready` is to be upgraded, and can be. */
const SEEN = {
  ready: {},
  unwell: { ready: false, unmet: ['services: kubelet not healthy'] },
  booting: { stage: 'booting', ready: false, unmet: ['services: etcd not running'] },
  old: { version: 'v1.12.9' },
  done: { version: 'v1.13.9' },
  waiting: { otherSlot: { state: 'installed', image } },
  'cut off': { otherSlot: { state: 'cut-off', image } },
  wrapped: { otherSlot: { state: 'unknown', why: 'wrapped' } },
  maintenance: 'node-in-maintenance',
  silent: 'node-unreachable',
} as const satisfies Record<string, Partial<NodeFacts> | 'node-in-maintenance' | 'node-unreachable'>

export type Seen = keyof typeof SEEN

export const allSeen = Object.keys(SEEN) as Seen[]

type Shape = readonly (readonly [name: string, role: Role, seen: Seen])[]

/** The plan of a verb for such a cluster; undefined where it is refused. */
export function generatedPlan(verb: VerbName, shape: Shape, { drains }: { drains: boolean }): Plan | undefined {
  const nodes = shape.map(([name, role], at): NodeDeclaration => ({ name, role, address: `10.0.0.${at + 2}` }))
  const controlPlanes = shape.filter(([, role]) => role === 'controlplane')
  const cluster: Cluster = {
    ...{ id: '7', name: 'cluster-7', talosVersion: 'v1.13.9', kubernetesVersion: 'v1.36.1' },
    ...{ endpointHost: '10.0.0.1', nodes },
    operations: { ...defaultOperations, drain: { ...defaultOperations.drain, enabled: drains } },
  }
  const observed: Observation = {
    at: '2026-01-01T00:00:00.000Z',
    nodes: Object.fromEntries(shape.map(([name, role, seen]) => [name, observationOf(name, role, seen)])),
    etcd: {
      members: controlPlanes.map(([node, , seen], at) => ({
        ...{ node, id: node, started: true, learner: false, leader: at === controlPlanes.length - 1 },
        ...{ answers: typeof SEEN[seen] !== 'string', appliedIndex: 9, raftIndex: 9, errors: [] },
      })),
      ...{ undeclared: [], disagreements: [], alarms: [], unread: [] },
    },
    kubernetes: kubernetesFacts(nodes.map(({ name, address }) => kubeNode(name, address))),
  }
  const wish = { acceptEtcdOutage: true, keepGoing: false, skipDrain: false }
  const losses = { allowExtensionLoss: false, allowKernelArgumentLoss: false, retry: false }
  const nothing = { rolledBack: {}, written: {}, installs: {}, requests: {}, configurations: {}, refusedImages: {} }
  const made: Record<VerbName, () => ReturnType<typeof reboot.plan>> = {
    upgrade: () => upgrade.plan(cluster, observed, { ...wish, ...losses }, nothing),
    reboot: () => reboot.plan(cluster, observed, { ...wish, acceptPendingConfiguration: false }, nothing),
  }
  const planned = made[verb]()
  return planned.ok ? planned.value : undefined
}

function observationOf(node: string, role: Role, seen: Seen): NodeObservation {
  const own: Partial<NodeFacts> | 'node-in-maintenance' | 'node-unreachable' = SEEN[seen]
  if (typeof own === 'string') return { reachable: false, failure: failure(own, { node }) }
  return {
    ...{ reachable: true, version: 'v1.13.5', stage: 'running', ready: true, unmet: [], bootId: `${node}-before` },
    ...{ schematic: 's', extensions: [], platform: 'metal', secureBoot: false, role, kubeletVersion: 'v1.36.1' },
    ...{ nodename: node, otherSlot: { state: 'quiet' }, ...own },
  } as NodeObservation
}
