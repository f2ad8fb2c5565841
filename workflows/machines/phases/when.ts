/** The conditions of the rows of a phase: of a node on its way, and of one that is only planned. */
import type { Begun } from '../../plan/judge.ts'
import type { Goal, NodePlan, Switch } from '../../plan/plan.ts'

/** What they are asked of. */
export type Facts = Pick<Begun, 'install'> & {
  plan: NodePlan
  goal: Goal
  /** it led etcd at the last look, and others to hand that over to */
  leads: boolean
  /** it may carry our cordon */
  cordoned: boolean
}

const isSwitched = ({ work }: NodePlan, how: Switch['how']): boolean => work.kind === 'switch' && work.how === how

const isDrained = ({ kubernetes }: NodePlan): boolean =>
  kubernetes !== undefined && kubernetes.drain.how !== 'left alone'

export const WHEN = {
  goalIsPull: ({ goal }) => goal === 'pull',
  goalIsInstall: ({ goal }) => goal === 'install',
  /** the new image is not in the other slot yet, and need not be written by the call that takes the node down */
  installsFirst: ({ plan, install }) => install === 'no' && isSwitched(plan, 'write, then reboot'),
  isControlPlane: ({ plan }) => plan.role === 'controlplane',
  drains: ({ plan }) => isDrained(plan),
  drainsControlPlane: ({ plan }) => plan.role === 'controlplane' && isDrained(plan),
  leadsAmongPeers: ({ leads }) => leads,
  rebootsByItself: ({ plan }) => !isSwitched(plan, 'one call'),
  isReplacedByOneCall: ({ plan }) => isSwitched(plan, 'one call'),
  isKnownToKubernetes: ({ plan }) => plan.kubernetes !== undefined,
  isCordoned: ({ cordoned }) => cordoned,
  hasGates: ({ plan }) => (plan.kubernetes?.gates.length ?? 0) > 0,
} as const satisfies Record<string, (facts: Facts) => boolean>

export type When = keyof typeof WHEN
