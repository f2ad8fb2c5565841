import type { Failure, Result } from '../../workflows/model/failure.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import type { Memory } from '../../workflows/plan/memory.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import { observe, withConfigurations } from '../cluster/observe.ts'
import type { OpenCluster } from '../cluster/open-cluster.ts'
import { startsFor } from './starts.ts'

/** What was seen, and the plan that was made from it, or every reason why there is none. */
export type Looked = { observed: Observation; planned: Result<Plan, Failure[]> }

/** Looks at a cluster and plans. `seenAs` is what the plan is told of what was seen. */
export const planNow = <Wish extends AnyWish>(
  session: OpenCluster,
  verb: Verb<Wish>,
  wish: Wish,
  memory: Memory,
  { signal, seenAs = (seen) => seen }: { signal?: AbortSignal; seenAs?: (seen: Observation) => Observation } = {},
): Promise<Looked> =>
  startsFor({ of: 'look' }, async () => {
    const { cluster } = session
    const release = verb.release?.(cluster, wish)
    const seen = seenAs(await observe(session, wish.nodes, signal ? { signal } : {}))
    const observed = await withConfigurations(session, seen, { release, ...wish }, signal)
    return { observed, planned: verb.plan(cluster, observed, wish, memory) }
  })
