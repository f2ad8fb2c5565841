/** What a person may ask to be done to a cluster: a planner. Everything after its plan is one engine, the same for all. */
import type { Cluster, NodeName, TalosVersion } from '../model/cluster.ts'
import type { Failure, Result } from '../model/failure.ts'
import type { Observation } from '../model/observation.ts'
import type { VerbName } from '../model/verb-name.ts'
import type { Memory } from './memory.ts'
import type { Plan } from './plan.ts'

/** What every verb can be asked, whatever else it is. */
export type AnyWish = {
  /** nodes that may be changed; all of them when absent */
  nodes?: NodeName[] | undefined
}

export type Verb<Wish extends AnyWish> = {
  name: VerbName
  /**
   * For how long a run that was cut off is carried on by the same command, where that asks for an act, not for a state:
   * later it is meant anew. Absent where what was asked for is as right as it was.
   */
  carriedOnForMs?: number
  /** Release that the nodes are to run next: what Talos of that release says of them is asked. Absent where none changes. */
  release?(cluster: Cluster, wish: Wish): TalosVersion
  /** Why there can be no plan, whatever the nodes run: known before any of them is asked. */
  objections?(cluster: Cluster, wish: Wish): Failure[]
  /** Pure; refuses with every reason at once. */
  plan(cluster: Cluster, observed: Observation, wish: Wish, memory: Memory): Result<Plan, Failure[]>
}
