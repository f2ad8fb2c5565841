/** What each step is: facts that the machines, the engine and the views share. */
import type { StepName } from './step-name.ts'

/** What a step is, for views and for the engine; stands as `meta` on the state that invokes it. */
export type StepMeta = {
  step: StepName
  title: string
  /** its node is down meanwhile, or about to be */
  disruptive: boolean
  /** it asks its node to leave its boot */
  takesDown: boolean
  /** it writes the slot of its node that does not run */
  writesSlot: boolean
  /** what a request to stop does to the step: a cut off one leaves something that nobody can judge */
  cutOff: 'at once' | 'never'
  /** the step changes something, so that the cluster's lock has to be ours still */
  changes: boolean
  /** what it found or did carries no node down after a restart, or after the process slept: others may undo it meanwhile */
  expires: boolean
}

type Facts = Omit<StepMeta, 'step' | 'title'>

const LOOKS: Facts = {
  ...{ disruptive: false, takesDown: false, writesSlot: false },
  ...{ cutOff: 'at once', changes: false, expires: false },
}
const CHANGES: Facts = { ...LOOKS, changes: true }
const WRITES: Facts = { ...CHANGES, writesSlot: true, cutOff: 'never' }
const LEAVES: Facts = { ...CHANGES, disruptive: true, takesDown: true, cutOff: 'never' }
const RETURNS: Facts = { ...LOOKS, disruptive: true }

export const STEPS = {
  'clear-cordons': { title: 'Lift cordons that an earlier run left', ...CHANGES },
  'snapshot-etcd': { title: 'Save a snapshot of etcd', ...LOOKS },
  // it brings to the node's disk what it will need, and no more
  'pull-image': { title: 'Pull the installer', ...LOOKS },
  install: { title: 'Install into the other slot', ...WRITES },
  'check-etcd': { title: 'Check etcd', ...LOOKS, expires: true },
  'hand-over-leadership': { title: 'Hand over etcd leadership', ...CHANGES, expires: true },
  cordon: { title: 'Cordon', ...CHANGES, expires: true },
  // what was evicted stays evicted, and the node still runs
  drain: { title: 'Drain', ...CHANGES, expires: true },
  reboot: { title: 'Reboot', ...LEAVES },
  upgrade: { title: 'Install and reboot', ...LEAVES, writesSlot: true },
  rejoin: { title: 'Wait until it is back', ...RETURNS },
  verify: { title: 'Verify', ...RETURNS },
  settle: { title: 'Wait until Kubernetes finds it ready', ...LOOKS },
  uncordon: { title: 'Uncordon', ...CHANGES },
  'pass-gates': { title: 'Wait for the gates of operations.yaml', ...LOOKS },
  diagnose: { title: 'Read how it stands', ...LOOKS },
  'look-back': { title: 'Look again at all nodes', ...LOOKS },
} as const satisfies Record<StepName, Omit<StepMeta, 'step'>>

/** What is known of the step of that name, as a journal of whatever version has it. */
export const stepNamed = (name: unknown): Facts | undefined =>
  typeof name === 'string' && Object.hasOwn(STEPS, name) ? STEPS[name as StepName] : undefined
