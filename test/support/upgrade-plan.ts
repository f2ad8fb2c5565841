/** Plans of upgrades for tests, as small as they can be said. */
import type { Role } from '../../workflows/model/cluster.ts'
import type {
  Before,
  KubernetesPlan,
  NodePlan,
  Plan,
  Policy,
  StaleCordon,
  Switch,
  Work,
} from '../../workflows/plan/plan.ts'
import { waves } from '../../workflows/plan/waves.ts'

export type NodeMore = Partial<Omit<NodePlan, 'before' | 'work'>> & {
  before?: Partial<Before>
  /** the whole of it, or how it switches */
  work?: Work | Switch['how']
  image?: string
  to?: string
}

const switchTo = (how: Switch['how'] = 'write, then reboot', more: { image?: string; to?: string } = {}): Switch => ({
  kind: 'switch',
  image: 'factory.talos.dev/metal-installer/s:v1.13.9',
  schematic: 's',
  to: 'v1.13.9',
  how,
  ...more,
})

export const nodePlan = (node: string, role: Role, { before, work, image, to, ...more }: NodeMore = {}): NodePlan => ({
  node,
  address: '127.0.0.1',
  role,
  before: {
    seen: 'ready',
    version: 'v1.13.5',
    schematic: 's',
    bootId: `${node}-before`,
    otherSlot: { state: 'quiet' },
    ...before,
  },
  work:
    typeof work === 'object'
      ? work
      : switchTo(work, { ...(image === undefined ? {} : { image }), ...(to === undefined ? {} : { to }) }),
  why: 'v1.13.5 to v1.13.9',
  ...more,
})

/** A node's part in Kubernetes. */
export const kubernetesPlan = (more: Partial<KubernetesPlan> = {}): KubernetesPlan => ({
  name: 'n',
  kubeletVersion: 'v1.36.1',
  drain: { how: 'drained', evicts: [], obstacles: [] },
  gates: [],
  ...more,
})

type PlanMore = Partial<Omit<Plan, 'policy'> & Policy> & {
  staleCordons?: StaleCordon[]
  /** nodes that pull or install at once */
  atOnce?: number
}

/** The canary is the first worker, else the first control plane. */
export function upgradePlan(nodes: NodePlan[], { staleCordons = [], atOnce = 4, ...more }: PlanMore = {}): Plan {
  const working = nodes.filter(({ work }) => work.kind !== 'leave')
  const canary = working.find((n) => n.role === 'worker') ?? working[0]
  const others = working.filter((n) => n !== canary)
  const rest = [...others.filter((n) => n.role === 'controlplane'), ...others.filter((n) => n.role === 'worker')]
  const sequence = [...(canary ? [canary] : []), ...rest]
  const controlPlanes = nodes.filter((n) => n.role === 'controlplane').map((n) => n.node)
  const [snapshotFrom] = controlPlanes
  const wants = (plans: NodePlan[], ...how: Switch['how'][]) =>
    plans.filter(({ work }) => work.kind === 'switch' && how.includes(work.how)).map(({ node }) => node)
  const { workersAtOnce = 1, workersBesideControlPlanes = false, keepGoing = false, ...rest_ } = more
  const { passOverBlocked = false, acceptEtcdOutage = false, ...fields } = rest_
  return {
    v: 2,
    verb: 'upgrade',
    cluster: 'cluster-7',
    target: 'v1.13.9',
    nodes,
    chores: [
      ...(staleCordons.length > 0 ? [{ step: 'clear-cordons' as const, cordons: staleCordons }] : []),
      ...(snapshotFrom && working.some((n) => n.role === 'controlplane')
        ? [{ step: 'snapshot-etcd' as const, node: snapshotFrom, after: 'pull' as const }]
        : []),
    ],
    waves: waves(
      { goal: 'pull', nodes: wants(sequence, 'write, then reboot', 'one call'), atOnce },
      { goal: 'turn', nodes: sequence.slice(0, 1).map(({ node }) => node) },
      { goal: 'install', nodes: wants(rest, 'write, then reboot'), atOnce },
      { goal: 'turn', nodes: rest.map(({ node }) => node) },
    ),
    policy: { workersAtOnce, workersBesideControlPlanes, keepGoing, passOverBlocked, acceptEtcdOutage },
    controlPlanes,
    notes: [],
    ...fields,
  }
}
