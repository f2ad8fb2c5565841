/**
 * All that a run says, to views, report and users' scripts; `--output json` prints it with `v` and `at`, one a line. This
 * union is a contract: members and fields are added, and none changes its meaning. The published JSON Schema
 * (event.schema.json) is made from it.
 */
import * as v from 'valibot'
import { EXIT_CODES } from './exit-code.ts'
import { FAILURES, type Failure, type FailureReason } from './failure.ts'
import { STEPS } from './step-facts.ts'
import type { StepName } from './step-name.ts'
import { VERB_NAMES } from './verb-name.ts'
import { type Evidence, VERDICTS, type Verdict } from './verdict.ts'

const text = v.string()
const texts = v.array(text)
const words = v.exactOptional(text)
const flag = v.boolean()
const flags = v.exactOptional(flag)
const ofNode = { node: words }

const oneOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) => v.picklist(Object.keys(table) as Name[])
const stepNames = Object.keys(STEPS) as StepName[]
const step = v.picklist(stepNames)
const verb = v.picklist(VERB_NAMES)
const verdict = oneOf<Verdict>(VERDICTS)

const failure = v.object({
  reason: oneOf<FailureReason>(FAILURES),
  ...{ node: words, step: v.exactOptional(step), detail: words, hint: words, manifest: words },
  unasked: v.exactOptional(
    v.pipe(v.literal(true), v.description('the step ended before it asked its node for anything')),
  ),
} satisfies Record<keyof Failure, v.GenericSchema>)

const evidence = v.object({
  ...{ version: words, versionBefore: words, schematic: words, bootId: words, bootIdBefore: words },
  ...{ stage: words, ready: flags, etcd: words },
  waiting: v.exactOptional(v.object({ image: text, since: words, doubt: words })),
  ...{ unmet: v.exactOptional(texts), unsettled: v.exactOptional(texts) },
} satisfies Record<keyof Evidence, v.GenericSchema>)

const obstacle = v.object({
  kind: v.picklist([
    ...(['budget', 'two-budgets', 'bare', 'local-data', 'nowhere', 'single-replica', 'finalizer', 'grace'] as const),
    ...(['hanging', 'orphaned-attachment'] as const),
  ]),
  pod: v.exactOptional(v.pipe(text, v.description('`namespace/name`; absent where no pod is in the way'))),
  blocks: v.pipe(flag, v.description('the drain would not end by itself')),
  budget: v.exactOptional(v.pipe(text, v.description('`namespace/name` of the PodDisruptionBudget'))),
  disruptionsAllowed: v.exactOptional(v.number()),
  detail: v.pipe(text, v.description('the whole in words')),
  hint: v.exactOptional(v.pipe(text, v.description('what to type about it'))),
})

/** Something that a drain runs into. */
export type Obstacle = v.InferOutput<typeof obstacle>

const plannedDrain = v.object({
  evicts: v.pipe(texts, v.description('`namespace/name`')),
  obstacles: v.pipe(v.array(obstacle), v.description('what the drain runs into or costs')),
  whyNot: v.exactOptional(v.pipe(text, v.description('why there is no drain'))),
})

/** What happens to the pods of a node that goes down. */
export type PlannedDrain = v.InferOutput<typeof plannedDrain>

const work = v.pipe(
  v.picklist(['none', 'finish', 'upgrade', 'reboot']),
  v.description('nothing, a boot into what waits there, an installation and the boot into it, a mere reboot'),
)

/** What is done to a node. */
export type WorkWord = v.InferOutput<typeof work>

const plan = v.object({
  verb,
  target: v.exactOptional(v.pipe(text, v.description('absent where nodes run afterwards what they ran'))),
  nodes: v.array(
    v.object({
      ...{ node: text, role: v.picklist(['controlplane', 'worker']), work, why: text, steps: v.array(step) },
      drain: v.exactOptional(plannedDrain),
    }),
  ),
  notes: texts,
})

/** What the plan says, in the order in which it will happen. */
export type PlanSummary = v.InferOutput<typeof plan>

const preliminaries = ['plan', 'abandon'] as const

/** What is waited for before a plan is carried out: a plan can be made, a run that is closed has ended. */
export type Preliminary = (typeof preliminaries)[number]

const event = <Type extends string, Entries extends v.ObjectEntries>(type: Type, means: string, entries: Entries) =>
  v.pipe(v.object({ type: v.literal(type), ...entries }), v.description(means))

/** Every event that a run may say, each with what it means. */
export const runEvent = v.variant('type', [
  event('run.started', 'A plan is about to be carried out, or carried on where an earlier process left it.', {
    ...{ run: text, command: verb, cluster: text, resumed: flag, plan },
  }),
  event(
    'notice',
    'Something about the run itself, or about a node, that a person should know: a lock was taken over, an old run was closed.',
    { text, ...ofNode },
  ),
  event('step.started', 'A step has begun; one of a node says which, one of the whole cluster does not.', {
    ...{ ...ofNode, step, title: text, disruptive: flag },
  }),
  event(
    'waiting',
    'The condition that is being watched, and what was seen last: "etcd member of k8s-2 to catch up", "412 behind".',
    { ...ofNode, step: v.picklist([...stepNames, ...preliminaries]), for: text, last: words },
  ),
  event('step.finished', 'A step has done its work, and what it did was seen to be true.', {
    ...{ ...ofNode, step, title: text, tookMs: v.number(), detail: words },
  }),
  event(
    'step.failed',
    'A step has ended without having done its work; what becomes of its node is for the verdict to say.',
    { ...ofNode, step, title: text, tookMs: v.number(), failure },
  ),
  event('verdict', 'How a node stands at the end, with what was read from it.', {
    ...{ node: text, verdict, evidence, failure: v.exactOptional(failure) },
  }),
  event(
    'run.finished',
    'The last word of every command, and its exit code; one that is no run, or never became one, has the name "".',
    {
      run: text,
      exitCode: v.picklist(Object.values(EXIT_CODES)),
      verdicts: v.record(text, verdict),
      failures: v.array(failure),
      tookMs: v.number(),
      next: v.optional(v.pipe(text, v.description('the next command to type'))),
    },
  ),
])

export type RunEvent = v.InferOutput<typeof runEvent>

/** The one line of a dry run. */
export const planEvent = event('plan', 'What was found that would be done.', { plan })
