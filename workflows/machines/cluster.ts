/**
 * The order among nodes: who may start what, given who is down and what failed.
 *
 *   pulling (all, a barrier) → securing → trying (the canary, alone) → installing (the rest) → flipping (one after another) → done
 *      └─ a failure anywhere starts nothing more, waits for what runs, and ends in done with a verdict for every node
 *
 * It spawns `node` by name, once for each goal; parent and child share only input and output.
 */
import { and, assign, enqueueActions, fromPromise, not, or, setup } from 'xstate'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { Evidence, Verdict } from '../model/verdict.ts'
import type { NodePlan, UpgradePlan } from '../plan/upgrade-plan.ts'
import { evidenceBefore, type NodeGoal, type NodeInput, type NodeOutput } from './node.ts'
import { step } from './step.ts'

export type NodeVerdict = { node: NodeName; verdict: Verdict; evidence: Evidence; failure?: Failure }

export type ClusterOutput = { verdicts: NodeVerdict[]; failures: Failure[] }

export type ClusterContext = {
  plan: UpgradePlan
  goal: NodeGoal
  waiting: NodeName[]
  running: NodeName[]
  results: Record<NodeName, NodeOutput>
  failures: Failure[]
}

export type SnapshotInput = { node: NodeName }

const planOf = (context: ClusterContext, node: NodeName): NodePlan => {
  const plan = context.plan.nodes.find((n) => n.node === node)
  if (!plan) throw new Error(`${node} is not in the plan`)
  return plan
}

const isControlPlane = (context: ClusterContext, node: NodeName): boolean =>
  planOf(context, node).role === 'controlplane'

const installsByItself = (plan: NodePlan): boolean => plan.work === 'upgrade' && plan.path === 'lifecycle'

/** Who takes part in a phase, in the order in which they start. */
function participants(context: ClusterContext, goal: NodeGoal): NodeName[] {
  const { plan } = context
  const canary = plan.canary === undefined ? [] : [plan.canary]
  switch (goal) {
    case 'pull':
      return [...canary, ...plan.order].filter((n) => planOf(context, n).work === 'upgrade')
    case 'upgrade':
      return canary
    case 'install':
      return plan.order.filter((n) => installsByItself(planOf(context, n)))
    case 'flip':
      return plan.order
  }
}

/** A phase: start who may start, note who ended, move on when nobody runs and nobody may start. */
const phase = <Next extends string>(goal: NodeGoal, next: Next) =>
  ({
    entry: { type: 'begin', params: { goal } },
    always: [
      { guard: 'mayStart', actions: 'startNext' },
      { guard: 'nobodyRuns', target: next },
    ],
    on: {
      'xstate.done.actor.*': { actions: 'noteNode' },
      'xstate.error.actor.*': { actions: 'noteBug' },
    },
  }) as const

export const clusterMachine = setup({
  types: { context: {} as ClusterContext, input: {} as UpgradePlan, output: {} as ClusterOutput },
  actors: {
    node: fromPromise<NodeOutput, NodeInput>(() => Promise.reject(new Error('child machines are run by the engine'))),
    'snapshot-etcd': fromPromise<void, SnapshotInput>(() =>
      Promise.reject(new Error('steps are carried out by the engine')),
    ),
  },
  guards: {
    somebodyWaits: ({ context }) => context.waiting.length > 0,
    nothingFailed: ({ context }) => context.failures.length === 0,
    flips: ({ context }) => context.goal === 'flip' || context.goal === 'upgrade',
    /** pulls and installs take nothing down; their number is bounded for the registry's sake */
    underPullLimit: ({ context }) => context.running.length < context.plan.pullParallelism,
    underParallelism: ({ context }) => context.running.length < context.plan.parallelism,
    /** a control plane goes down only when nobody is down, and nobody goes down while it is */
    controlPlanesAlone: ({ context }) => {
      const [next] = context.waiting
      if (next === undefined || context.running.length === 0) return true
      return !isControlPlane(context, next) && !context.running.some((n) => isControlPlane(context, n))
    },
    mayFlip: and(['flips', 'underParallelism', 'controlPlanesAlone']),
    mayPullOrInstall: and([not('flips'), 'underPullLimit']),
    mayStart: and(['nothingFailed', 'somebodyWaits', or(['mayFlip', 'mayPullOrInstall'])]),
    nobodyRuns: ({ context }) => context.running.length === 0,
    snapshotWanted: ({ context }) => context.plan.snapshotFrom !== undefined,
  },
  actions: {
    begin: assign(({ context }, { goal }: { goal: NodeGoal }) => ({ goal, waiting: participants(context, goal) })),
    startNext: enqueueActions(({ context, enqueue }) => {
      const [node, ...waiting] = context.waiting
      if (node === undefined) return
      enqueue.assign({ waiting, running: [...context.running, node] })
      enqueue.spawnChild('node', {
        id: `${node}/${context.goal}`,
        input: { plan: planOf(context, node), goal: context.goal, votes: context.plan.controlPlanes.length },
      })
    }),
    noteNode: assign(({ context, event }) => {
      const { output } = event as unknown as { output: NodeOutput }
      return {
        running: context.running.filter((n) => n !== output.node),
        results: { ...context.results, [output.node]: output },
        failures: output.failure ? [...context.failures, output.failure] : context.failures,
      }
    }),
    noteBug: assign(({ context, event }) => ({
      failures: [...context.failures, failure('bug', { detail: JSON.stringify(event) })],
    })),
    noteSnapshotFailure: assign(({ context, event }) => ({
      failures: [...context.failures, (event as unknown as { error: Failure }).error],
    })),
  },
}).createMachine({
  id: 'cluster',
  context: ({ input }) => ({ plan: input, goal: 'pull', waiting: [], running: [], results: {}, failures: [] }),
  output: ({ context }) => ({ verdicts: verdicts(context), failures: context.failures }),
  initial: 'pulling',
  states: {
    pulling: phase('pull', 'pulled'),
    pulled: {
      always: [
        { guard: not('nothingFailed'), target: 'done' },
        { guard: 'snapshotWanted', target: 'securing' },
        { target: 'trying' },
      ],
    },
    securing: step('snapshot-etcd', {
      input: ({ context }: { context: ClusterContext }): SnapshotInput => ({ node: context.plan.snapshotFrom ?? '' }),
      onDone: 'trying',
      onError: { target: 'done', actions: 'noteSnapshotFailure' },
    }),
    trying: phase('upgrade', 'installing'),
    installing: phase('install', 'flipping'),
    flipping: phase('flip', 'done'),
    done: { type: 'final' },
  },
})

/** A verdict for every node of the plan, from what its last goal brought and what was never started. */
export function verdicts(context: ClusterContext): NodeVerdict[] {
  return context.plan.nodes.map((plan) => {
    const result = context.results[plan.node]
    const waits = plan.work === 'finish' || result?.installed === true
    return {
      node: plan.node,
      verdict: context.running.includes(plan.node)
        ? 'interrupted'
        : (result?.verdict ?? (waits ? 'installed-not-rebooted' : 'unchanged')),
      evidence: result?.evidence ?? evidenceBefore(plan),
      ...(result?.failure ? { failure: result.failure } : {}),
    }
  })
}
