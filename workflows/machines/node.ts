/**
 * The lifecycle of one node. A run starts it in `ready` with a goal; every other way of life joins it here.
 *
 *   ready ─ pull ────→ pulling ─────────────────────────────────────────────→ reached
 *         ─ install ─→ installing ──────────────────────────────────────────→ reached
 *         ─ turn ────→ (installing, where that was not done ahead) → approaching …
 *                                   approaching → gating → cordoning → draining → gatingAgain → handingOver → flipping
 *                                     → rejoining → verifying → settling → uncordoning → passingGates → reached
 *           (below Talos 1.13 one call installs and reboots:                                   replacing)
 *           (a worker has no gate and no handover; a node that is not drained is not cordoned)
 *           (the request that takes a node down has a look at etcd of its own right before it, and ends without asking
 *            where that one objects; a run that is taken up, or that slept, goes from anywhere between back to gating)
 *   a failure goes to `diagnosing`, which reads how the node stands, to `restoring`, which lifts our cordon, and to `missed`;
 *   a node that is found well there, only late, goes on at `rejoining`, once
 */
import { and, assign, fromPromise, setup } from 'xstate'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import { type Evidence, isUpgraded, type Verdict } from '../model/verdict.ts'
import {
  afterFailure,
  type Begun,
  evidenceBefore,
  installedBefore,
  isReached,
  type Judgement,
  leftRunning,
} from '../plan/judge.ts'
import type { Goal, NodePlan, Switch } from '../plan/plan.ts'
import { expiringStep, step } from './step.ts'

/** What a node's steps are given. */
export type NodeStepInput = Begun & {
  plan: NodePlan
  /** it may have been asked to go down before, and was seen to run on */
  askedBefore?: boolean
}

export type NodeInput = {
  plan: NodePlan
  goal: Goal
  votes: number
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

/** The gate tells whether the node leads etcd now. */
export type GateOutput = { leads: boolean }

/**
 * `reboot` tells when the node had booted the new version before it was asked to; and that it still runs and was asked
 * nothing, because what the gate had found was too old for that.
 */
export type RebootOutput = { flippedEarly: boolean; stillUp?: boolean }

const unbound = <Output, Input = NodeStepInput>() =>
  fromPromise<Output, Input>(() => Promise.reject(new Error('steps are carried out by the engine')))

const isSwitched = ({ work }: NodePlan, how: Switch['how']): boolean => work.kind === 'switch' && work.how === how

const input = ({ context }: { context: NodeContext }): NodeStepInput => ({
  plan: context.plan,
  install: context.install,
  flipped: context.flipped,
  askedBefore: context.askedBefore,
})

/** Failures arrive as plain data; anything else is a bug and said to be one. */
const failureOf = (event: unknown): Failure => {
  const { error } = event as { error: Failure }
  return typeof error?.reason === 'string' ? error : failure('bug', { detail: String(error) })
}

/** How the steps that take a node down move on. */
const wentDown = [
  { guard: 'isStillUp', target: 'approaching', actions: ['noteStillUp', 'noteAskedBefore'] },
  { target: 'rejoining', actions: 'noteFlip' },
] as const
const didNotGoDown = [
  {
    guard: and(['stoppedAtGate', 'isCordoned']),
    target: 'restoring',
    actions: ['noteFailure', 'noteStillUp', 'noteRefused'],
  },
  { guard: 'stoppedAtGate', target: '#node.missed', actions: ['noteFailure', 'noteStillUp', 'noteRefused'] },
  { target: 'diagnosing', actions: 'noteFailure' },
] as const

export const nodeMachine = setup({
  types: { context: {} as NodeContext, input: {} as NodeInput, output: {} as NodeOutput },
  actors: {
    'pull-image': unbound<void>(),
    install: unbound<InstallOutput>(),
    'check-etcd': unbound<GateOutput>(),
    'hand-over-leadership': unbound<void>(),
    cordon: unbound<void>(),
    drain: unbound<void>(),
    settle: unbound<SettleOutput>(),
    uncordon: unbound<void>(),
    'pass-gates': unbound<void>(),
    reboot: unbound<RebootOutput>(),
    upgrade: unbound<RebootOutput>(),
    rejoin: unbound<void>(),
    verify: unbound<Diagnosis>(),
    diagnose: unbound<Diagnosis>(),
  },
  guards: {
    goalIsPull: ({ context }) => context.goal === 'pull',
    goalIsInstall: ({ context }) => context.goal === 'install',
    installsFirst: ({ context }) => context.install === 'no' && isSwitched(context.plan, 'write, then reboot'),
    rebootsByItself: ({ context }) => !isSwitched(context.plan, 'one call'),
    isControlPlane: ({ context }) => context.plan.role === 'controlplane',
    leads: ({ event }) => (event as unknown as { output: GateOutput }).output.leads,
    hasPeers: ({ context }) => context.votes > 1,
    drains: ({ context: { plan } }) => plan.kubernetes !== undefined && plan.kubernetes.drain.how !== 'left alone',
    hasGates: ({ context }) => (context.plan.kubernetes?.gates.length ?? 0) > 0,
    /** well after all: what the failed step waited for came later; but not again and again */
    isLate: ({ context, event }) =>
      !context.late && isReached(context.plan.work, (event as unknown as { output: Diagnosis }).output.verdict),
    isCordoned: ({ context }) => context.cordoned,
    isStillUp: ({ event }) => (event as unknown as { output: RebootOutput }).output.stillUp === true,
    /** the last look objected, so the node was asked nothing */
    stoppedAtGate: ({ event }) => ['check-etcd', 'hand-over-leadership'].includes(failureOf(event).step ?? ''),
    isKnownToKubernetes: ({ context }) => context.plan.kubernetes !== undefined,
  },
  actions: {
    noteFailure: assign({ failure: ({ event }) => failureOf(event) }),
    noteInstalled: assign(({ event, context }) => ({
      install: 'done' as const,
      evidence: { ...context.evidence, waiting: (event as unknown as { output: InstallOutput }).output },
    })),
    noteInstalling: assign({ install: 'begun' }),
    noteGoingDown: assign({ flipped: true }),
    noteStillUp: assign({ flipped: false }),
    noteAskedBefore: assign({ askedBefore: true }),
    noteCordon: assign({ cordoned: true }),
    noteSettled: assign(({ event, context: { evidence } }) => {
      const { asBefore } = (event as unknown as { output: SettleOutput }).output
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
      flippedEarly: ({ event }) => (event as unknown as { output: RebootOutput }).output.flippedEarly,
    }),
    noteDiagnosis: assign(({ event, context }) => {
      const { output } = event as unknown as { output: Diagnosis }
      if (!context.failure) {
        const isEarly = context.flippedEarly && isUpgraded(output.verdict)
        return { ...output, verdict: isEarly ? ('flipped-early' as const) : output.verdict }
      }
      const judged = afterFailure(output, context.failure)
      // well once more, after it was well and not to be counted on
      return isReached(context.plan.work, judged.verdict) ? { ...judged, verdict: 'stuck' as const } : judged
    }),
    noteLate: assign(({ context, event }) => {
      const { verdict, evidence } = (event as unknown as { output: Diagnosis }).output
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
    cordoned: false,
    evidence: given.earlier?.evidence ?? evidenceBefore(given.plan),
  }),
  output: ({ context }) => ({
    node: context.plan.node,
    goal: context.goal,
    install: context.install,
    flipped: context.flipped,
    ...(context.verdict ? { verdict: context.verdict } : {}),
    evidence: context.evidence,
    ...(context.failure ? { failure: context.failure } : {}),
  }),
  initial: 'ready',
  states: {
    ready: {
      always: [
        { guard: 'goalIsPull', target: 'upgrading.pulling' },
        { guard: 'installsFirst', target: 'upgrading.installing' },
        { target: 'upgrading.approaching' },
      ],
    },
    upgrading: {
      initial: 'approaching',
      states: {
        pulling: step('pull-image', {
          input,
          onDone: '#node.reached',
          onError: { target: '#node.missed', actions: ['noteFailure', 'noteStillRunning'] },
        }),
        installing: {
          entry: 'noteInstalling',
          ...step('install', {
            input,
            onDone: [
              { guard: 'goalIsInstall', target: '#node.reached', actions: 'noteInstalled' },
              { target: 'approaching', actions: 'noteInstalled' },
            ],
            onError: { target: 'diagnosing', actions: 'noteFailure' },
          }),
        },
        // a worker has no etcd member to guard
        approaching: {
          always: [
            { guard: 'isControlPlane', target: 'gating' },
            { guard: 'drains', target: 'cordoning' },
            { target: 'leaving' },
          ],
        },
        gating: expiringStep('check-etcd', {
          input,
          gate: 'approaching',
          onDone: [
            { guard: 'drains', target: 'cordoning' },
            // a single member has nobody to hand over to, and the call fails there
            { guard: and(['leads', 'hasPeers']), target: 'handingOver' },
            { target: 'leaving' },
          ],
          // it may have been cordoned before it came back here
          onError: [
            { guard: 'isCordoned', target: 'restoring', actions: ['noteFailure', 'noteRefused'] },
            { target: '#node.missed', actions: ['noteFailure', 'noteRefused'] },
          ],
        }),
        cordoning: {
          entry: 'noteCordon',
          ...expiringStep('cordon', {
            input,
            gate: 'approaching',
            onDone: 'draining',
            onError: { target: 'restoring', actions: ['noteFailure', 'noteStillRunning'] },
          }),
        },
        draining: expiringStep('drain', {
          input,
          gate: 'approaching',
          onDone: [{ guard: 'isControlPlane', target: 'gatingAgain' }, { target: 'leaving' }],
          onError: { target: 'restoring', actions: ['noteFailure', 'noteStillRunning'] },
        }),
        // a drain may take long, and leadership moves
        gatingAgain: expiringStep('check-etcd', {
          input,
          gate: 'approaching',
          onDone: [{ guard: and(['leads', 'hasPeers']), target: 'handingOver' }, { target: 'leaving' }],
          onError: { target: 'restoring', actions: ['noteFailure', 'noteRefused'] },
        }),
        handingOver: expiringStep('hand-over-leadership', {
          input,
          gate: 'approaching',
          onDone: 'leaving',
          onError: [
            { guard: 'isCordoned', target: 'restoring', actions: ['noteFailure', 'noteRefused'] },
            { target: '#node.missed', actions: ['noteFailure', 'noteRefused'] },
          ],
        }),
        leaving: {
          entry: 'noteGoingDown',
          always: [{ guard: 'rebootsByItself', target: 'flipping' }, { target: 'replacing' }],
        },
        flipping: step('reboot', {
          input,
          onDone: wentDown,
          onError: didNotGoDown,
        }),
        replacing: step('upgrade', {
          input,
          onDone: wentDown,
          onError: didNotGoDown,
        }),
        rejoining: step('rejoin', {
          input,
          onDone: 'verifying',
          onError: { target: 'diagnosing', actions: 'noteFailure' },
        }),
        verifying: step('verify', {
          input,
          onDone: [
            { guard: 'isKnownToKubernetes', target: 'settling', actions: 'noteDiagnosis' },
            { target: '#node.reached', actions: 'noteDiagnosis' },
          ],
          onError: { target: 'diagnosing', actions: 'noteFailure' },
        }),
        settling: step('settle', {
          input,
          onDone: [
            { guard: 'isCordoned', target: 'uncordoning', actions: 'noteSettled' },
            { guard: 'hasGates', target: 'passingGates', actions: 'noteSettled' },
            { target: '#node.reached', actions: 'noteSettled' },
          ],
          onError: [
            { guard: 'isCordoned', target: 'restoring', actions: 'noteUnsettled' },
            { target: '#node.missed', actions: 'noteUnsettled' },
          ],
        }),
        uncordoning: step('uncordon', {
          input,
          onDone: [{ guard: 'hasGates', target: 'passingGates' }, { target: '#node.reached' }],
          onError: { target: '#node.missed', actions: 'noteUnsettled' },
        }),
        passingGates: step('pass-gates', {
          input,
          onDone: '#node.reached',
          onError: { target: '#node.missed', actions: 'noteUnsettled' },
        }),
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
            // it booted by itself what was being installed: the rest comes in its turn
            { guard: 'goalIsInstall', target: '#node.reached' },
            { target: 'rejoining' },
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
    reached: { type: 'final' },
    missed: { type: 'final' },
  },
})
