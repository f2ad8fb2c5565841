/** The one union that views, journal, report and users' scripts see. Views add `v` and `at`. */
import type { NodeName } from './cluster.ts'
import type { ExitCode } from './exit-code.ts'
import type { Failure } from './failure.ts'
import type { Evidence, Verdict } from './verdict.ts'

export type RunEvent =
  | { type: 'run.started'; run: string; command: string; cluster: string; resumed: boolean; plan: PlanSummary }
  /** something about the run itself that a person should know: a lock was taken over, an old run was abandoned */
  | { type: 'notice'; text: string; node?: NodeName }
  | { type: 'step.started'; node?: NodeName; step: string; title: string; disruptive: boolean }
  /** the condition that is being watched, and what was seen last: "etcd member of k8s-2 to catch up", "412 behind" */
  | { type: 'waiting'; node?: NodeName; step: string; for: string; last?: string }
  | { type: 'step.finished'; node?: NodeName; step: string; title: string; tookMs: number; detail?: string }
  | { type: 'step.failed'; node?: NodeName; step: string; title: string; tookMs: number; failure: Failure }
  | { type: 'verdict'; node: NodeName; verdict: Verdict; evidence: Evidence; failure?: Failure }
  | {
      type: 'run.finished'
      run: string
      exitCode: ExitCode
      verdicts: Record<NodeName, Verdict>
      failures: Failure[]
      tookMs: number
      /** the next command to type */
      next?: string
    }

/** What happens to the pods of a node that goes down. */
export type PlannedDrain = {
  /** `namespace/name` */
  evicts: string[]
  /** what the drain runs into or costs */
  obstacles: { kind: string; pod?: string; blocks: boolean; detail: string; budget?: string; hint?: string }[]
  /** why there is no drain */
  whyNot?: string
}

/** What the plan says, in the order in which it will happen. */
export type PlanSummary = {
  verb: string
  target: string
  nodes: { node: NodeName; role: string; work: string; why: string; steps: string[]; drain?: PlannedDrain }[]
  notes: string[]
}
