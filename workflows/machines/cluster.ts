/**
 * The order among nodes: who may start what, given who is down and what failed.
 *
 *   waving (one wave after another, each when the one before has ended) → lookingBack → done
 *      └─ before a wave the chores that it waits for, one after another
 *      └─ a failure anywhere starts nothing more, waits for what runs, and ends with a verdict for every node
 *   whatever was touched is looked at once more at the end, all together
 *
 * It spawns `node` by name, once for each goal; parent and child share only input and output.
 */
import { and, assign, type DoneActorEvent, enqueueActions, fromPromise, not, or, setup } from 'xstate'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { NodeVerdict } from '../model/verdict.ts'
import { evidenceBefore, installedBefore, leftRunning, type Stood } from '../plan/judge.ts'
import type { Chore, NodePlan, Plan, Wave } from '../plan/plan.ts'
import { endsTheRun, nextToGoDown } from '../plan/waves.ts'
import type { NodeInput, NodeOutput } from './node.ts'
import { step } from './step.ts'
import { failureOf, outputOf } from './step-end.ts'

export type ClusterOutput = { verdicts: NodeVerdict[]; failures: Failure[] }

export type ClusterContext = {
  plan: Plan
  /** chores that are done */
  chores: number
  /** the wave that is under way; below 0 before the first one */
  wave: number
  waiting: NodeName[]
  running: NodeName[]
  results: Record<NodeName, NodeOutput>
  failures: Failure[]
  /** how the nodes stand by the last look */
  seenLast: NodeVerdict[]
}

export type LookBackInput = { nodes: Stood[] }

type ChoreOf<Step extends Chore['step']> = Chore & { step: Step }

export type SnapshotInput = Omit<ChoreOf<'snapshot-etcd'>, 'step'>

export type ClearInput = Omit<ChoreOf<'clear-cordons'>, 'step'>

const planOf = (context: ClusterContext, node: NodeName): NodePlan => {
  const plan = context.plan.nodes.find((n) => n.node === node)
  if (!plan) throw new Error(`${node} is not in the plan`)
  return plan
}

const waveOf = ({ plan, wave }: ClusterContext): Wave | undefined => plan.waves[wave]

/** Nothing failed that keeps the others from going. */
const mayGoOn = ({ plan, failures }: ClusterContext): boolean =>
  !failures.some((failed) => endsTheRun(plan.policy, failed))

/** A node that failed is done for this run. */
const takePart = ({ results }: ClusterContext, { nodes }: Wave): NodeName[] =>
  nodes.filter((node) => results[node]?.failure === undefined)

/** Whether the next chore is to be done now: nothing is that nobody will need. */
const choreIsDue = (context: ClusterContext): boolean => {
  const { plan, chores, wave } = context
  const chore = plan.chores[chores]
  if (chore?.after === undefined) return chore !== undefined
  const next = plan.waves[wave + 1]
  return next !== undefined && next.goal !== chore.after && mayGoOn(context) && takePart(context, next).length > 0
}

const takesDown = (context: ClusterContext): boolean => waveOf(context)?.goal === 'turn'

/** A control plane that was taken down and did not come back well. */
const lostControlPlane = (context: ClusterContext): boolean =>
  Object.values(context.results).some(
    ({ node, flipped, failure: why }) => flipped && why !== undefined && planOf(context, node).role === 'controlplane',
  )

const nextDown = (context: ClusterContext): NodeName | undefined =>
  nextToGoDown({
    policy: context.plan.policy,
    waiting: context.waiting,
    running: context.running,
    roleOf: (node) => planOf(context, node).role,
    lostControlPlane: lostControlPlane(context),
  })

const unbound = <Output, Input>() =>
  fromPromise<Output, Input>(() => Promise.reject(new Error('what machines invoke is carried out by the engine')))

const choreInput = <Step extends Chore['step']>({ context }: { context: ClusterContext }): ChoreOf<Step> =>
  context.plan.chores[context.chores] as ChoreOf<Step>

/** A chore that is carried out when it is due; what fails there keeps the waves from beginning that wait for it. */
const chore = <Step extends Chore['step']>(name: Step) =>
  step(name, {
    input: choreInput<Step>,
    onDone: { target: 'choosing' as const, actions: 'noteChore' as const },
    onError: { target: '#cluster.ending' as const, actions: 'noteOwnFailure' as const },
  })

export const clusterMachine = setup({
  types: { context: {} as ClusterContext, input: {} as Plan, output: {} as ClusterOutput },
  actors: {
    node: unbound<NodeOutput, NodeInput>(),
    'clear-cordons': unbound<void, ClearInput>(),
    'snapshot-etcd': unbound<void, SnapshotInput>(),
    'look-back': unbound<NodeVerdict[], LookBackInput>(),
  },
  guards: {
    choreIsDue: ({ context }) => choreIsDue(context),
    choreIs: ({ context }, { step: name }: { step: Chore['step'] }) =>
      context.plan.chores[context.chores]?.step === name,
    somebodyWaits: ({ context }) => context.waiting.length > 0,
    nothingFailed: ({ context }) => mayGoOn(context),
    takesDown: ({ context }) => takesDown(context),
    /** what takes nothing down is bounded by the wave itself, for the registry's sake */
    underLimit: ({ context }) => context.running.length < (waveOf(context)?.atOnce ?? Number.POSITIVE_INFINITY),
    somebodyMayGoDown: ({ context }) => nextDown(context) !== undefined,
    mayGoDown: and(['takesDown', 'somebodyMayGoDown']),
    mayStayUp: and([not('takesDown'), 'underLimit']),
    mayStart: and(['nothingFailed', 'somebodyWaits', or(['mayGoDown', 'mayStayUp'])]),
    nobodyRuns: ({ context }) => context.running.length === 0,
    wavesAreLeft: ({ context }) => context.wave + 1 < context.plan.waves.length,
    somebodyWasTouched: ({ context }) => Object.keys(context.results).length > 0,
  },
  actions: {
    noteChore: assign(({ context }) => ({ chores: context.chores + 1 })),
    /** in the order in which they start */
    beginNext: assign(({ context }) => {
      const wave = context.wave + 1
      const next = context.plan.waves[wave]
      return { wave, waiting: next ? takePart(context, next) : [] }
    }),
    startNext: enqueueActions(({ context, enqueue }) => {
      const goal = waveOf(context)?.goal
      const node = (takesDown(context) ? nextDown(context) : undefined) ?? context.waiting[0]
      if (node === undefined || goal === undefined) return
      const waiting = context.waiting.filter((n) => n !== node)
      enqueue.assign({ waiting, running: [...context.running, node] })
      enqueue.spawnChild('node', {
        id: `${node}/${goal}`,
        input: {
          plan: planOf(context, node),
          goal,
          ...(context.results[node] ? { earlier: context.results[node] } : {}),
        },
      })
    }),
    noteNode: assign(({ context, event }) => {
      const { output } = event as DoneActorEvent<NodeOutput>
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
      const seenLast = outputOf(event, 'look-back')
      const failed = seenLast.flatMap(({ node, failure: why }) =>
        why && context.results[node]?.failure === undefined ? [why] : [],
      )
      return { seenLast, failures: [...context.failures, ...failed] }
    }),
    noteOwnFailure: assign(({ context, event }) => ({
      failures: [...context.failures, failureOf(event)],
    })),
  },
}).createMachine({
  id: 'cluster',
  context: ({ input }) => ({
    plan: input,
    chores: 0,
    wave: -1,
    waiting: [],
    running: [],
    results: {},
    failures: [],
    seenLast: [],
  }),
  output: ({ context }) => ({ verdicts: verdicts(context), failures: context.failures }),
  initial: 'waving',
  states: {
    chores: {
      initial: 'choosing',
      states: {
        choosing: {
          always: [
            { guard: not('choreIsDue'), target: '#cluster.waving' },
            { guard: { type: 'choreIs', params: { step: 'clear-cordons' } }, target: 'clearing' },
            { guard: { type: 'choreIs', params: { step: 'snapshot-etcd' } }, target: 'securing' },
          ],
        },
        clearing: chore('clear-cordons'),
        securing: chore('snapshot-etcd'),
      },
    },
    waving: {
      always: [
        { guard: 'mayStart', actions: 'startNext' },
        { guard: and(['nobodyRuns', 'choreIsDue']), target: 'chores' },
        { guard: and(['nobodyRuns', 'wavesAreLeft']), actions: 'beginNext' },
        { guard: 'nobodyRuns', target: 'ending' },
      ],
      on: {
        'xstate.done.actor.*': { actions: 'noteNode' },
        'xstate.error.actor.*': { actions: 'noteBug' },
      },
    },
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
    const install = result?.install ?? installedBefore(plan.work)
    const isRunning = context.running.includes(plan.node)
    return {
      plan,
      install,
      flipped: result?.flipped ?? false,
      ...(result?.booted && { booted: result.booted }),
      verdict: isRunning ? 'interrupted' : (result?.verdict ?? leftRunning(install, 'unchanged')),
      evidence: result?.evidence ?? evidenceBefore(plan),
      ...(result?.failure ? { failure: result.failure } : {}),
    }
  })
