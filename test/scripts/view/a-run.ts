import type { RunEvent } from '../../../workflows/model/event.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { StepName } from '../../../workflows/model/step-name.ts'

const never = failure('never-returned', {
  node: 'cp-2',
  step: 'reboot',
  detail: 'cp-2 did not answer within 15m',
  hint: 'look at its console',
})

const reboot = { step: 'reboot', title: 'Reboot' } as const
const pull = { step: 'pull-image', title: 'Pull the installer' } as const
const steps: StepName[] = ['pull-image', 'reboot']

/** A run over two nodes in which one pull overlaps the other, cp-1 is upgraded and cp-2 never comes back. */
export const aRun: RunEvent[] = [
  { type: 'notice', text: 'took over the lock of a dead run' },
  {
    type: 'run.started',
    run: 'run-1',
    command: 'upgrade',
    cluster: 'cluster-7',
    resumed: false,
    plan: {
      verb: 'upgrade',
      target: 'v1.13.9',
      nodes: ['cp-1', 'cp-2'].map((node) => ({
        node,
        role: 'controlplane',
        work: 'upgrade',
        why: 'v1.13.5 to v1.13.9',
        steps,
      })),
      notes: ['cp-2 is not ready now'],
    },
  },
  { type: 'step.started', step: 'snapshot-etcd', title: 'Save a snapshot of etcd', disruptive: false },
  { type: 'step.finished', step: 'snapshot-etcd', title: 'Save a snapshot of etcd', tookMs: 800 },
  { type: 'step.started', node: 'cp-1', ...pull, disruptive: false },
  { type: 'step.started', node: 'cp-2', ...pull, disruptive: false },
  { type: 'step.finished', node: 'cp-1', ...pull, tookMs: 6_000 },
  { type: 'step.finished', node: 'cp-2', ...pull, tookMs: 7_000, detail: 'was there already' },
  { type: 'step.started', node: 'cp-1', ...reboot, disruptive: true },
  { type: 'waiting', node: 'cp-1', step: 'reboot', for: 'cp-1 to run with a new boot id', last: 'no answer' },
  { type: 'step.finished', node: 'cp-1', ...reboot, tookMs: 61_000 },
  { type: 'step.started', node: 'cp-2', ...reboot, disruptive: true },
  { type: 'step.failed', node: 'cp-2', ...reboot, tookMs: 900_000, failure: never },
  {
    type: 'verdict',
    node: 'cp-1',
    verdict: 'upgraded',
    evidence: { version: 'v1.13.9', versionBefore: 'v1.13.5', stage: 'running', ready: true },
  },
  { type: 'verdict', node: 'cp-2', verdict: 'unreachable', evidence: { versionBefore: 'v1.13.5' }, failure: never },
  {
    type: 'run.finished',
    run: 'run-1',
    exitCode: 1,
    verdicts: { 'cp-1': 'upgraded', 'cp-2': 'unreachable' },
    failures: [never],
    tookMs: 975_000,
    next: 'node --import tsx workflows/upgrade.ts --cluster 7',
  },
]
