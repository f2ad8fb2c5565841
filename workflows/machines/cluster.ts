/**
 * The order among nodes: who may start what, given who is down and what failed.
 *
 *   clearing (cordons of dead runs) → pulling (all, a barrier) → securing → trying (the canary, alone) → installing (the rest) → flipping (one after another) → done
 *      └─ a failure anywhere starts nothing more, waits for what runs, and ends with a verdict for every node
 *   whatever was touched is looked at once more at the end, all together: lookingBack → done
 *
 * It spawns `node` by name, once for each goal; parent and child share only input and output.
 */
import { and, assign, enqueueActions, fromPromise, not, or, setup } from 'xstate'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { NodeVerdict } from '../model/verdict.ts'
import { evidenceBefore, leftRunning, type Stood } from '../plan/judge.ts'
import type { NodePlan, Plan, StaleCordon } from '../plan/plan.ts'
import type { NodeGoal, NodeInput, NodeOutput } from './node.ts'
import { step } from './step.ts'

export type ClusterOutput = { verdicts: NodeVerdict[]; failures: Failure[] }

export type ClusterContext = {
  plan: Plan
  goal: NodeGoal
  waiting: NodeName[]
  running: NodeName[]
  results: Record<NodeName, NodeOutput>
  failures: Failure[]
  /** how the nodes stand by the last look */
  seenLast: NodeVerdict[]
}

export type LookBackInput = { nodes: Stood[] }

export type SnapshotInput = { node: NodeName }

export type ClearInput = { cordons: StaleCordon[] }

const planOf = (context: ClusterContext, node: NodeName): NodePlan => {
  const plan = context.plan.nodes.find((n) => n.node === node)
  if (!plan) throw new Error(`${node} is not in the plan`)
  return plan
}

const isControlPlane = (context: ClusterContext, node: NodeName): boolean =>
  planOf(context, node).role === 'controlplane'

const installsByItself = (plan: NodePlan): boolean => plan.work === 'upgrade' && plan.path === 'lifecycle'

/** A failure after which nothing more is started. */
const stops = ({ keepGoing, passOverBlocked }: Plan, { reason }: Failure): boolean => {
  if (reason === 'bug') return true
  const isBlocked = reason === 'drain-blocked' || reason === 'volumes-attached'
  return !(keepGoing || (passOverBlocked && isBlocked))
}

/** Who takes part in a phase, in the order in which they start; a node that failed is done for this run. */
function participants(context: ClusterContext, goal: NodeGoal): NodeName[] {
  return wanted(context, goal).filter((node) => context.results[node]?.failure === undefined)
}

function wanted(context: ClusterContext, goal: NodeGoal): NodeName[] {
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

/** A control plane that was taken down and did not come back well: no other one goes down after it, whoever asks. */
const lostControlPlane = (context: ClusterContext): boolean =>
  Object.values(context.results).some(
    ({ node, flipped, failure: why }) => flipped && why !== undefined && isControlPlane(context, node),
  )

/**
 * The node that may go down next. Control planes go alone, in their order; workers side by side as far as the policy
 * allows, and beside a control plane only where it says so.
 */
function nextToFlip(context: ClusterContext): NodeName | undefined {
  const { plan, running, waiting } = context
  const beside = plan.workersBesideControlPlanes
  const workersDown = running.filter((n) => !isControlPlane(context, n)).length
  const controlPlaneDown = workersDown < running.length
  const mayGo = (node: NodeName): boolean =>
    isControlPlane(context, node)
      ? !controlPlaneDown && (beside || running.length === 0)
      : workersDown < plan.parallelism && (beside || !controlPlaneDown)
  const candidates = lostControlPlane(context) ? waiting.filter((n) => !isControlPlane(context, n)) : waiting
  // whoever stands behind somebody who has to wait overtakes only where workers and control planes go side by side
  return beside ? candidates.find(mayGo) : candidates.slice(0, 1).find(mayGo)
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
  types: { context: {} as ClusterContext, input: {} as Plan, output: {} as ClusterOutput },
  actors: {
    node: fromPromise<NodeOutput, NodeInput>(() => Promise.reject(new Error('child machines are run by the engine'))),
    'clear-cordons': fromPromise<void, ClearInput>(() =>
      Promise.reject(new Error('steps are carried out by the engine')),
    ),
    'snapshot-etcd': fromPromise<void, SnapshotInput>(() =>
      Promise.reject(new Error('steps are carried out by the engine')),
    ),
    'look-back': fromPromise<NodeVerdict[], LookBackInput>(() =>
      Promise.reject(new Error('steps are carried out by the engine')),
    ),
  },
  guards: {
    somebodyWaits: ({ context }) => context.waiting.length > 0,
    nothingFailed: ({ context }) => !context.failures.some((failed) => stops(context.plan, failed)),
    flips: ({ context }) => context.goal === 'flip' || context.goal === 'upgrade',
    /** pulls and installs take nothing down; their number is bounded for the registry's sake */
    underPullLimit: ({ context }) => context.running.length < context.plan.pullParallelism,
    somebodyMayFlip: ({ context }) => nextToFlip(context) !== undefined,
    mayFlip: and(['flips', 'somebodyMayFlip']),
    mayPullOrInstall: and([not('flips'), 'underPullLimit']),
    mayStart: and(['nothingFailed', 'somebodyWaits', or(['mayFlip', 'mayPullOrInstall'])]),
    nobodyRuns: ({ context }) => context.running.length === 0,
    cordonsAreLeft: ({ context }) => context.plan.staleCordons.length > 0,
    somebodyWasTouched: ({ context }) => Object.keys(context.results).length > 0,
    snapshotWanted: ({ context }) => context.plan.snapshotFrom !== undefined,
  },
  actions: {
    begin: assign(({ context }, { goal }: { goal: NodeGoal }) => ({ goal, waiting: participants(context, goal) })),
    startNext: enqueueActions(({ context, enqueue }) => {
      const isFlip = context.goal === 'flip' || context.goal === 'upgrade'
      const node = (isFlip ? nextToFlip(context) : undefined) ?? context.waiting[0]
      if (node === undefined) return
      const waiting = context.waiting.filter((n) => n !== node)
      enqueue.assign({ waiting, running: [...context.running, node] })
      enqueue.spawnChild('node', {
        id: `${node}/${context.goal}`,
        input: {
          plan: planOf(context, node),
          goal: context.goal,
          votes: context.plan.controlPlanes.length,
          ...(context.results[node] ? { earlier: context.results[node] } : {}),
        },
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
    noteLastLook: assign(({ context, event }) => {
      const seenLast = (event as unknown as { output: NodeVerdict[] }).output
      const failed = seenLast.flatMap(({ node, failure: why }) =>
        why && context.results[node]?.failure === undefined ? [why] : [],
      )
      return { seenLast, failures: [...context.failures, ...failed] }
    }),
    noteOwnFailure: assign(({ context, event }) => ({
      failures: [...context.failures, (event as unknown as { error: Failure }).error],
    })),
  },
}).createMachine({
  id: 'cluster',
  context: ({ input }) => ({
    plan: input,
    goal: 'pull',
    waiting: [],
    running: [],
    results: {},
    failures: [],
    seenLast: [],
  }),
  output: ({ context }) => ({ verdicts: verdicts(context), failures: context.failures }),
  initial: 'beginning',
  states: {
    beginning: { always: [{ guard: 'cordonsAreLeft', target: 'clearing' }, { target: 'pulling' }] },
    clearing: step('clear-cordons', {
      input: ({ context }: { context: ClusterContext }): ClearInput => ({ cordons: context.plan.staleCordons }),
      onDone: 'pulling',
      onError: { target: 'done', actions: 'noteOwnFailure' },
    }),
    pulling: phase('pull', 'pulled'),
    pulled: {
      always: [
        { guard: not('nothingFailed'), target: 'ending' },
        { guard: 'snapshotWanted', target: 'securing' },
        { target: 'trying' },
      ],
    },
    securing: step('snapshot-etcd', {
      input: ({ context }: { context: ClusterContext }): SnapshotInput => ({ node: context.plan.snapshotFrom ?? '' }),
      onDone: 'trying',
      onError: { target: 'ending', actions: 'noteOwnFailure' },
    }),
    trying: phase('upgrade', 'installing'),
    installing: phase('install', 'flipping'),
    flipping: phase('flip', 'ending'),
    ending: { always: [{ guard: 'somebodyWasTouched', target: 'lookingBack' }, { target: 'done' }] },
    lookingBack: step('look-back', {
      input: ({ context }: { context: ClusterContext }): LookBackInput => ({ nodes: stands(context) }),
      onDone: { target: 'done', actions: 'noteLastLook' },
      onError: { target: 'done', actions: 'noteOwnFailure' },
    }),
    done: { type: 'final' },
  },
})

/** A verdict for every node of the plan: by the last look, where there was one. */
export function verdicts(context: ClusterContext): NodeVerdict[] {
  return stands(context).map(({ plan: { node }, verdict, evidence, failure: why }) => {
    const last = context.seenLast.find((seen) => seen.node === node)
    return last ?? { node, verdict, evidence, ...(why ? { failure: why } : {}) }
  })
}

/** How every node of the plan stands, from what its last goal brought and what was never started. */
const stands = (context: ClusterContext): Stood[] =>
  context.plan.nodes.map((plan) => {
    const result = context.results[plan.node]
    const install = result?.install ?? (plan.work === 'finish' ? 'done' : 'no')
    const isRunning = context.running.includes(plan.node)
    return {
      plan,
      install,
      flipped: result?.flipped ?? false,
      verdict: isRunning ? 'interrupted' : (result?.verdict ?? leftRunning(install, 'unchanged')),
      evidence: result?.evidence ?? evidenceBefore(plan),
      ...(result?.failure ? { failure: result.failure } : {}),
    }
  })
