/** The plan in words, in the order in which it happens. */
import type { PlannedDrain, PlanSummary } from '../model/event.ts'
import type { KubernetesPlan, NodePlan, Plan } from './plan.ts'

export function summarize(plan: Plan): PlanSummary {
  const sequence = [...(plan.canary ? [plan.canary] : []), ...plan.order]
  const idle = plan.nodes.filter((n) => n.work === 'none').map((n) => n.node)
  return {
    verb: plan.verb,
    target: plan.to,
    nodes: [...sequence, ...idle].flatMap((name) => {
      const node = plan.nodes.find((n) => n.node === name)
      if (!node) return []
      const why = name === plan.canary && sequence.length > 1 ? `${node.why} (goes first, alone)` : node.why
      const drain = drainOf(node)
      return [
        { node: name, role: node.role, work: node.work, why, steps: stepsOf(plan, node), ...(drain && { drain }) },
      ]
    }),
    notes: [
      ...plan.staleCordons.map(({ node, run }) => `${node} is still cordoned by ${run}, which is over: lifted first`),
      ...drainedByTalos(plan),
      ...plan.notes,
    ],
  }
}

/** The one call of Talos below 1.13 drains the node, whether we do or not. */
function drainedByTalos({ nodes }: Plan): string[] {
  const names = nodes
    .filter((plan) => isUpgradedInOneCall(plan) && plan.kubernetes?.whyNot !== undefined)
    .map(({ node }) => node)
  if (names.length === 0) return []
  return [`Talos below 1.13 evicts pods by itself as it upgrades, for up to five minutes: ${names.join(', ')}`]
}

/** Talos below 1.13 installs and reboots in the same call. */
const isUpgradedInOneCall = ({ work, path }: NodePlan): boolean => work === 'upgrade' && path === 'legacy'

const drainOf = ({ kubernetes, work }: NodePlan): PlannedDrain | undefined =>
  kubernetes === undefined || work === 'none' ? undefined : plannedDrain(kubernetes)

/** What a drain means, as people are told: where nothing is evicted only why. */
export const plannedDrain = ({ whyNot, evicts, obstacles }: KubernetesPlan): PlannedDrain =>
  whyNot === undefined ? { evicts, obstacles } : { whyNot, evicts: [], obstacles: [] }

function stepsOf(plan: Plan, node: NodePlan): string[] {
  if (node.work === 'none') return []
  return [
    ...(node.work === 'upgrade' ? ['pull-image'] : []),
    ...(node.work === 'upgrade' && node.path === 'lifecycle' ? ['install'] : []),
    ...(node.role === 'controlplane' ? ['check-etcd'] : []),
    ...(node.kubernetes?.drain ? ['cordon', 'drain'] : []),
    ...(node.role === 'controlplane' && plan.controlPlanes.length > 1 ? ['hand-over-leadership'] : []),
    isUpgradedInOneCall(node) ? 'upgrade' : 'reboot',
    'rejoin',
    'verify',
    ...(node.kubernetes ? ['settle'] : []),
    ...(node.kubernetes?.drain ? ['uncordon'] : []),
    ...(node.kubernetes?.gates.length ? ['pass-gates'] : []),
  ]
}
