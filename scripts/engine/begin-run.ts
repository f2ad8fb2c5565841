import { EXIT_CODES } from '../../workflows/model/exit-code.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import { isEmpty } from '../../workflows/plan/plan.ts'
import type { End, Known } from '../../workflows/plan/untouched.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import { approve } from '../cli/approve.ts'
import { onDisk } from '../disk/on-disk.ts'
import type { Begun } from './drive-plan.ts'
import { openJournal } from './journal.ts'
import { refused, stopped } from './leave.ts'
import { lookAndPlan } from './look-and-plan.ts'
import type { OpenRun } from './open-run.ts'
import { product } from './product.ts'
import { newRun } from './run-folder.ts'
import type { Hold } from './take-hold.ts'

/** Looks, plans, asks, and writes the plan down; or says why the run ends here. What was found out goes into `known`. */
export async function beginRun<Wish extends AnyWish>(
  run: OpenRun,
  { verb, wish, inputs }: { verb: Verb<Wish>; wish: Wish; inputs: string },
  held: { hold: Hold; remembered: Remembered },
  known: Known,
): Promise<Begun | End> {
  const { session, call, stop } = run
  const looked = await lookAndPlan(run, verb, wish, held)
  if (looked === undefined || stop.requested.aborted) return stopped(run)
  const made = onDisk(() => newRun(run.root, verb.name, new Date()))
  if (!made.ok) return refused(run, [made.failure])
  const paths = made.value
  run.becomes(paths)
  known.observed = looked.observed
  if (!looked.planned.ok) return refused(run, looked.planned.failure)
  const plan = looked.planned.value
  known.plan = plan
  if (!isEmpty(plan) && !(await approve(call, plan, stop))) {
    run.notice('not approved, so nothing was changed')
    return stop.requested.aborted ? stopped(run) : { exitCode: EXIT_CODES.tryAgain, failures: [], next: call.again }
  }
  const begun = onDisk(() => {
    const journal = openJournal(paths.journal)
    journal.append({
      ...{ type: 'run', v: 1, run: paths.run, product, command: verb.name, cluster: session.cluster.name },
      ...{ at: new Date().toISOString(), inputs, plan, again: call.again, identity: session.identity },
    })
    return journal
  })
  return begun.ok ? { paths, journal: begun.value, plan, resumed: false } : refused(run, [begun.failure])
}
