/**
 * The lifecycle of one node. A run finds it in the state of life in which it was seen, and takes it from there by a goal:
 *
 *   observed → maintenance | configured | bootstrapped | ready | reset
 *   upgrading, from any state of life in which it is installed: the phase of the goal, phases/prepare.ts or phases/turn.ts,
 *     each of them a list that reads from top to bottom
 *   reached or missed: where a goal can not be met from the state of life, the node is missed with what was seen
 *
 *   a failure goes to `diagnosing`, which reads how the node stands, to `restoring`, which lifts our cordon, and to `missed`;
 *   a node that is found well there, only late, goes on where it comes back, once
 *   the request that takes a node down has a look at etcd of its own right before it, and ends without asking where that one
 *     objects; a run that is taken up, or that slept, goes from anywhere before it back to the beginning of the turn
 */
import { assign, fromPromise, setup } from 'xstate'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { StepName } from '../model/step-name.ts'
import { type Evidence, isUpgraded, type Verdict } from '../model/verdict.ts'
import {
  afterFailure,
  type Begun,
  evidenceBefore,
  installedBefore,
  isReached,
  type Judgement,
  leftRunning,
  withoutRequest,
} from '../plan/judge.ts'
import type { Goal, Life, NodePlan } from '../plan/plan.ts'
import { PREPARE } from './phases/prepare.ts'
import { TURN } from './phases/turn.ts'
import { WHEN, type When } from './phases/when.ts'
import { sequence } from './sequence.ts'
import { step } from './step.ts'
import { failureOf, outputOf } from './step-end.ts'
import type { StepTypes } from './step-types.ts'

/** What a node's steps are given. */
export type NodeStepInput = Begun & {
  plan: NodePlan
  /** it may have been asked to go down before, and was seen to run on */
  askedBefore?: boolean
  /** the boot in which it was read last */
  bootId?: string
}

export type NodeInput = {
  plan: NodePlan
  goal: Goal
  /** where its last goal got it */
  earlier?: Pick<NodeOutput, 'install' | 'evidence'>
}

/** Where a node got. `verdict` is absent after `pull` and `install`, which leave a node running as it was. */
export type NodeOutput = Begun & {
  node: NodeName
  goal: Goal
  verdict?: Verdict
  evidence: Evidence
  failure?: Failure
}

type NodeContext = NodeInput &
  Begun & {
    flippedEarly: boolean
    /** a diagnosis found it well, and its turn went on */
    late: boolean
    askedBefore: boolean
    /** it led etcd at the last look, and others to hand that over to */
    leads: boolean
    /** it may carry our cordon */
    cordoned: boolean
    verdict?: Verdict
    evidence: Evidence
    failure?: Failure | undefined
  }

/** What `diagnose` reads after a failure, and `verify` after a success. */
export type Diagnosis = Judgement

/** What waits in the other slot now. */
export type InstallOutput = { image: string; since?: string }

/** What Kubernetes does not find well of the node, as before the run. */
export type SettleOutput = { asBefore: string[] }

/** The gate tells whether the node leads etcd now, and has somebody to hand that over to. */
export type GateOutput = { leads: boolean }

/**
 * `reboot` tells when the node had booted the new version before it was asked to; and that it still runs and was asked
 * nothing, because what the gate had found was too old for that. `seen`: what it answered with, in its new boot.
 */
export type RebootOutput = {
  flippedEarly: boolean
  stillUp?: boolean
  /** nobody has asked the node to go down, also before */
  unasked?: true
  seen?: Pick<Evidence, 'version' | 'bootId'>
}

const unbound = <Name extends StepName>() =>
  fromPromise<StepTypes[Name]['output'], StepTypes[Name]['input']>(() =>
    Promise.reject(new Error('steps are carried out by the engine')),
  )

const input = ({ context }: { context: NodeContext }): NodeStepInput => ({
  plan: context.plan,
  install: context.install,
  flipped: context.flipped,
  ...(context.booted && { booted: context.booted }),
  askedBefore: context.askedBefore,
  ...(context.evidence.bootId !== undefined && { bootId: context.evidence.bootId }),
})

/** The steps that a step which takes a node down does once more, as the last thing before it asks. */
const OF_THE_LAST_LOOK: ReadonlySet<StepName | undefined> = new Set(['check-etcd', 'hand-over-leadership'])

/** The conditions of the rows, asked of a node on its way. */
const asGuards = Object.fromEntries(
  Object.entries(WHEN).map(([name, holds]) => [name, ({ context }: { context: NodeContext }) => holds(context)]),
) as Record<When, ({ context }: { context: NodeContext }) => boolean>

/** States of life from which nothing that a run does now can be met, and why. */
const NOT_YET: Partial<Record<Life, (node: NodeName) => Failure>> = {
  maintenance: (node) => failure('node-in-maintenance', { node, detail: 'it waits for its configuration' }),
  reset: (node) => failure('node-not-ready', { node, detail: 'it is being reset' }),
}

export const nodeMachine = setup({
  types: { context: {} as NodeContext, input: {} as NodeInput, output: {} as NodeOutput },
  actors: {
    'pull-image': unbound<'pull-image'>(),
    install: unbound<'install'>(),
    'check-etcd': unbound<'check-etcd'>(),
    'hand-over-leadership': unbound<'hand-over-leadership'>(),
    cordon: unbound<'cordon'>(),
    drain: unbound<'drain'>(),
    settle: unbound<'settle'>(),
    uncordon: unbound<'uncordon'>(),
    'pass-gates': unbound<'pass-gates'>(),
    reboot: unbound<'reboot'>(),
    upgrade: unbound<'upgrade'>(),
    rejoin: unbound<'rejoin'>(),
    verify: unbound<'verify'>(),
    diagnose: unbound<'diagnose'>(),
  },
  guards: {
    ...asGuards,
    seenIn: ({ context }, { life }: { life: Life }) => context.plan.before.seen === life,
    goalIsTurn: ({ context }) => context.goal === 'turn',
    /** well after all: what the failed step waited for came later; but not again and again */
    isLate: ({ context, event }) => !context.late && isReached(context.plan.work, outputOf(event, 'diagnose').verdict),
    isStillUp: ({ event }) => outputOf(event, 'reboot', 'upgrade').stillUp === true,
    /** the last look objected, so the node was asked nothing */
    stoppedAtGate: ({ event }) => OF_THE_LAST_LOOK.has(failureOf(event).step),
  },
  actions: {
    noteFailure: assign({ failure: ({ event }) => failureOf(event) }),
    noteInstalled: assign(({ event, context }) => ({
      install: 'done' as const,
      evidence: { ...context.evidence, waiting: outputOf(event, 'install') },
    })),
    noteInstalling: assign({ install: 'begun' }),
    noteGoingDown: assign({ flipped: true }),
    noteStillUp: assign({ flipped: false }),
    noteAskedBefore: assign({
      askedBefore: ({ event }) => outputOf(event, 'reboot', 'upgrade').unasked !== true,
    }),
    noteUnasked: assign(({ context, event }) => (failureOf(event).unasked ? withoutRequest(context) : {})),
    noteCordon: assign({ cordoned: true }),
    noteUncordoned: assign({ cordoned: false }),
    noteGate: assign({ leads: ({ event }) => outputOf(event, 'check-etcd').leads }),
    noteLife: assign(({ context: { plan, install } }) => {
      const why = NOT_YET[plan.before.seen]?.(plan.node)
      return { verdict: leftRunning(install, 'unchanged'), ...(why && { failure: why }) }
    }),
    noteSettled: assign(({ event, context: { evidence } }) => {
      const { asBefore } = outputOf(event, 'settle')
      return asBefore.length === 0 ? {} : { evidence: { ...evidence, unsettled: asBefore } }
    }),
    noteUnsettled: assign(({ event }) => ({ verdict: 'stuck' as const, failure: failureOf(event) })),
    noteLeftCordoned: assign(({ context, event }) => {
      const left = failureOf(event)
      if (!context.failure) return { failure: left }
      const detail = [context.failure.detail, left.detail].filter(Boolean).join('; ')
      return { failure: { ...context.failure, detail } }
    }),
    noteFlip: assign({
      flippedEarly: ({ event }) => outputOf(event, 'reboot', 'upgrade').flippedEarly,
      booted: true as const,
    }),
    noteDiagnosis: assign(({ event, context }) => {
      const output = outputOf(event, 'verify', 'diagnose')
      if (!context.failure) {
        const isEarly = context.flippedEarly && isUpgraded(output.verdict)
        return { ...output, verdict: isEarly ? ('flipped-early' as const) : output.verdict }
      }
      const judged = afterFailure(output, context.failure)
      // well once more, after it was well and not to be counted on
      return isReached(context.plan.work, judged.verdict) ? { ...judged, verdict: 'stuck' as const } : judged
    }),
    noteLate: assign(({ context, event }) => {
      const { verdict, evidence } = outputOf(event, 'diagnose')
      const flippedEarly = context.flippedEarly || verdict === 'flipped-early'
      return { late: true, flipped: true, flippedEarly, evidence, failure: undefined }
    }),
    noteNoVerdict: assign({ verdict: 'unreachable' }),
    noteStillRunning: assign(({ context: { install, evidence, failure: why } }) => {
      const judged = { verdict: leftRunning(install, 'unchanged'), evidence }
      return why ? afterFailure(judged, why) : judged
    }),
    noteRefused: assign(({ context }) => ({
      verdict: leftRunning(context.install, 'refused'),
    })),
  },
}).createMachine({
  id: 'node',
  context: ({ input: given }) => ({
    ...given,
    install: given.earlier?.install ?? installedBefore(given.plan.work),
    flipped: false,
    flippedEarly: false,
    late: false,
    askedBefore: false,
    leads: false,
    cordoned: false,
    evidence: given.earlier?.evidence ?? evidenceBefore(given.plan),
  }),
  output: ({ context }) => ({
    node: context.plan.node,
    goal: context.goal,
    install: context.install,
    flipped: context.flipped,
    ...(context.booted && { booted: context.booted }),
    ...(context.verdict ? { verdict: context.verdict } : {}),
    evidence: context.evidence,
    ...(context.failure ? { failure: context.failure } : {}),
  }),
  initial: 'observed',
  states: {
    observed: {
      always: [
        ...(['maintenance', 'configured', 'bootstrapped', 'reset'] as const).map((life) => ({
          guard: { type: 'seenIn' as const, params: { life } },
          target: life,
        })),
        { target: 'ready' },
      ],
    },
    maintenance: { always: { target: 'missed', actions: 'noteLife' } },
    // one that is not well may be cured by what is done to it
    configured: { always: 'upgrading' },
    bootstrapped: { always: 'upgrading' },
    ready: { always: 'upgrading' },
    upgrading: {
      initial: 'choosing',
      states: {
        choosing: { always: [{ guard: 'goalIsTurn', target: 'turning' }, { target: 'preparing' }] },
        preparing: sequence(PREPARE, input),
        turning: sequence(TURN, input),
        diagnosing: step('diagnose', {
          input,
          onDone: [
            { guard: 'isLate', target: 'comingLate', actions: 'noteLate' },
            { guard: 'isCordoned', target: 'restoring', actions: 'noteDiagnosis' },
            { target: '#node.missed', actions: 'noteDiagnosis' },
          ],
          onError: [
            { guard: 'isCordoned', target: 'restoring', actions: 'noteNoVerdict' },
            { target: '#node.missed', actions: 'noteNoVerdict' },
          ],
        }),
        comingLate: {
          always: [
            { guard: 'goalIsTurn', target: 'turning.rejoin' },
            // it booted by itself what was being installed: the rest comes in its turn
            { target: '#node.reached' },
          ],
        },
        // whatever became of the node, a cordon of ours outlives no goal
        restoring: step('uncordon', {
          input,
          onDone: '#node.missed',
          onError: { target: '#node.missed', actions: 'noteLeftCordoned' },
        }),
      },
    },
    reset: { always: { target: 'missed', actions: 'noteLife' } },
    reached: { type: 'final' },
    missed: { type: 'final' },
  },
})
