import type { AnyStateMachine } from 'xstate'
import type { Failure } from '../../workflows/model/failure.ts'
import type { NodeVerdict } from '../../workflows/model/verdict.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import type { OpenCluster } from '../cluster/open-cluster.ts'
import type { Step } from './driver.ts'
import type { Journal } from './journal.ts'
import type { Machines, RunState } from './run-state.ts'

/** Who carries a plan out: machines that say what comes next, and the bodies of their steps. The engine knows none by name. */
export type Crew = {
  root: AnyStateMachine
  /** those that the root may spawn by name */
  machines: Machines
  steps(task: Task): Readonly<Record<string, Step>>
  /** how things stand, wherever a run stands still */
  standing(state: RunState): Standing
}

/** What the steps of one run have to do with. */
export type Task = {
  session: OpenCluster
  plan: Plan
  remembered: Remembered
  journal: Journal
  /** name of the run */
  run: string
  /** folder of all runs of the cluster */
  root: string
  /** aborted when no step is left */
  ends: AbortSignal
}

export type Standing = {
  verdicts: NodeVerdict[]
  failures: Failure[]
  /** nodes that may carry our cordon */
  cordoned: string[]
}
