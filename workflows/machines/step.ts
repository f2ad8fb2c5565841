/** One state that does one thing: invokes the step of the same name and moves on by how it ended. */
import type { NodeName } from '../model/cluster.ts'
import type { StepName } from '../model/step-name.ts'
import type { NodePlan } from '../plan/plan.ts'

/** What a step is, for views and for the engine; stands as `meta` on the state that invokes it. */
export type StepMeta = {
  step: StepName
  title: string
  /** the step takes a node down */
  disruptive: boolean
  /** what a request to stop does to the step: cuts it off, or waits for its end */
  stops: 'at once' | 'when done'
  /** the step changes something, so that the cluster's lock has to be ours still */
  changes: boolean
  /** what it found or did carries no node down after a restart, or after the process slept */
  expires: boolean
}

const STEPS = {
  'clear-cordons': { title: 'Lift cordons that an earlier run left', disruptive: false, stops: 'at once' },
  'snapshot-etcd': { title: 'Save a snapshot of etcd', disruptive: false, stops: 'at once' },
  'pull-image': { title: 'Pull the installer', disruptive: false, stops: 'at once' },
  // a cut off installation leaves a slot that nobody can judge
  install: { title: 'Install into the other slot', disruptive: false, stops: 'when done' },
  'check-etcd': { title: 'Check etcd', disruptive: false, stops: 'at once' },
  'hand-over-leadership': { title: 'Hand over etcd leadership', disruptive: false, stops: 'at once' },
  cordon: { title: 'Cordon', disruptive: false, stops: 'at once' },
  // what was evicted stays evicted, and the node still runs
  drain: { title: 'Drain', disruptive: false, stops: 'at once' },
  reboot: { title: 'Reboot into the new version', disruptive: true, stops: 'when done' },
  upgrade: { title: 'Install and reboot', disruptive: true, stops: 'when done' },
  rejoin: { title: 'Wait until it is back', disruptive: true, stops: 'at once' },
  verify: { title: 'Verify', disruptive: true, stops: 'at once' },
  settle: { title: 'Wait until Kubernetes finds it ready', disruptive: false, stops: 'at once' },
  uncordon: { title: 'Uncordon', disruptive: false, stops: 'at once' },
  'pass-gates': { title: 'Wait for the gates of operations.yaml', disruptive: false, stops: 'at once' },
  diagnose: { title: 'Read how it stands', disruptive: false, stops: 'at once' },
  'look-back': { title: 'Look again at all nodes', disruptive: false, stops: 'at once' },
} as const satisfies Record<StepName, Omit<StepMeta, 'step' | 'changes' | 'expires'>>

/** What a step is about: a node, in the boot that its plan saw; neither where it is about the cluster. */
export type Subject = { node?: NodeName; bootId?: string }

/** The subject of a step that is given this input. */
export function subjectOf(input: unknown): Subject {
  const { plan, node } = Object(input) as { plan?: Pick<NodePlan, 'node' | 'before'>; node?: NodeName }
  if (plan) return { node: plan.node, bootId: plan.before.bootId }
  return node === undefined ? {} : { node }
}

/** The event that tells a machine that what was found before has expired. */
export const RESUMED = 'resumed'

/** Steps that only look, wait, or bring to the node's disk what it will need. */
const HARMLESS: ReadonlySet<StepName> = new Set([
  'snapshot-etcd',
  'pull-image',
  'check-etcd',
  'rejoin',
  'verify',
  'settle',
  'pass-gates',
  'diagnose',
  'look-back',
])

/** Others may undo these, or what they saw may change, while nobody looks. */
const EXPIRING: ReadonlySet<StepName> = new Set(['check-etcd', 'cordon', 'drain', 'hand-over-leadership'])

/** The step's facts, as a state's meta. */
const metaOf = (name: StepName): StepMeta => ({
  step: name,
  ...STEPS[name],
  changes: !HARMLESS.has(name),
  expires: EXPIRING.has(name),
})

/** A state that invokes `name`; its input is what the machine's context says it needs. */
export const step = <Name extends StepName, Input, Done, Failed>(
  name: Name,
  options: { input: Input; onDone: Done; onError: Failed },
) => ({
  meta: metaOf(name),
  invoke: { id: name, src: name, ...options },
})

/** The same for a step that expires: when a later process took the run up, or this one slept, it goes back to `gate`. */
export const expiringStep = <Name extends StepName, Input, Done, Failed, Gate extends string>(
  name: Name,
  { gate, ...options }: { input: Input; onDone: Done; onError: Failed; gate: Gate },
) => ({ ...step(name, options), on: { [RESUMED]: gate } as { [RESUMED]: Gate } })
