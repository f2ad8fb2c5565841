import type { Observation } from '../../workflows/model/observation.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import { withoutMarks } from '../cluster/lift-dead-cordons.ts'
import { watch } from '../watch.ts'
import { isOver, liftLeftCordons } from './lift-left-cordons.ts'
import type { OpenRun } from './open-run.ts'
import { type Looked, planNow } from './plan-now.ts'
import { startsFor } from './starts.ts'
import type { Hold } from './take-hold.ts'

/** Plans from what is seen now, once the cordons of dead runs are lifted; undefined where it was told to stop. */
export async function lookAndPlan<Wish extends AnyWish>(
  run: OpenRun,
  verb: Verb<Wish>,
  wish: Wish,
  { hold, remembered }: { hold: Hold; remembered: Remembered },
): Promise<Looked | undefined> {
  const { session, stop } = run
  const seenAs = (seen: Observation) => withoutMarks(seen, isOver(run, hold))
  const look = () => planNow(session, verb, wish, remembered, { signal: stop.requested, seenAs })
  try {
    // what could not be lifted the run itself meets again, and fails where it may not
    const { lifted } = await startsFor({ of: 'look' }, () => liftLeftCordons(run, hold))
    if (lifted.length === 0) return await look()
    // pods that waited for a node are coming back, and budgets count them only then
    const { seen } = await watch(run.waiter('plan'), {
      what: `pods to come back to ${lifted.join(', ')}`,
      look,
      until: ({ planned }) => planned.ok || !planned.failure.some(({ reason }) => reason === 'drain-would-block'),
      deadlineMs: Math.min(COME_BACK_MS, session.cluster.operations.deadlines.readyMs),
      everyMs: 1_000,
    })
    return seen
  } catch (error) {
    if (stop.requested.aborted) return undefined
    throw error
  }
}

/** longest time for which pods are waited for that a lifted cordon lets come back */
const COME_BACK_MS = 60_000
