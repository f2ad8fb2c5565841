/**
 * All that a run says, to views, report and users' scripts; `--output json` prints it with `v` and `at`, one a line. This
 * union is a contract: members and fields are added, and none changes its meaning.
 */
import type { NodeName, Role } from './cluster.ts'
import type { ExitCode } from './exit-code.ts'
import type { Failure } from './failure.ts'
import type { StepName } from './step-name.ts'
import type { Evidence, Verdict } from './verdict.ts'

export type RunEvent =
  /** A plan is about to be carried out, or carried on where an earlier process left it. */
  | { type: 'run.started'; run: string; command: string; cluster: string; resumed: boolean; plan: PlanSummary }
  /** Something about the run itself, or about a node, that a person should know: a lock was taken over, an old run was closed. */
  | { type: 'notice'; text: string; node?: NodeName }
  /** A step has begun; one of a node says which, one of the whole cluster does not. */
  | { type: 'step.started'; node?: NodeName; step: StepName; title: string; disruptive: boolean }
  /** The condition that is being watched, and what was seen last: "etcd member of k8s-2 to catch up", "412 behind". */
  | { type: 'waiting'; node?: NodeName; step: StepName | Preliminary; for: string; last?: string }
  /** A step has done its work, and what it did was seen to be true. */
  | { type: 'step.finished'; node?: NodeName; step: StepName; title: string; tookMs: number; detail?: string }
  /** A step has ended without having done its work; what becomes of its node is for the verdict to say. */
  | { type: 'step.failed'; node?: NodeName; step: StepName; title: string; tookMs: number; failure: Failure }
  /** How a node stands at the end, with what was read from it. */
  | { type: 'verdict'; node: NodeName; verdict: Verdict; evidence: Evidence; failure?: Failure }
  /** The last word of every command, and its exit code; one that is no run, or never became one, has the name "". */
  | {
      type: 'run.finished'
      run: string
      exitCode: ExitCode
      verdicts: Record<NodeName, Verdict>
      failures: Failure[]
      tookMs: number
      /** the next command to type */
      next?: string | undefined
    }

/** What is waited for before a plan is carried out: a plan can be made, a run that is closed has ended. */
export type Preliminary = 'plan' | 'abandon'

/** What happens to the pods of a node that goes down. */
export type PlannedDrain = {
  /** `namespace/name` */
  evicts: string[]
  /** what the drain runs into or costs */
  obstacles: { kind: string; pod?: string; blocks: boolean; detail: string; budget?: string; hint?: string }[]
  /** why there is no drain */
  whyNot?: string
}

/** What is done to a node: nothing, a boot into what waits there, an installation and the boot into it, a mere reboot. */
export type WorkWord = 'none' | 'finish' | 'upgrade' | 'reboot'

/** What the plan says, in the order in which it will happen. */
export type PlanSummary = {
  verb: string
  /** absent where nodes run afterwards what they ran */
  target?: string
  nodes: { node: NodeName; role: Role; work: WorkWord; why: string; steps: StepName[]; drain?: PlannedDrain }[]
  notes: string[]
}
