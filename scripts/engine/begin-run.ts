import { EXIT_CODES } from '../../workflows/model/exit-code.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import { isEmpty, type Plan } from '../../workflows/plan/plan.ts'
import type { End, KnownAtEnd } from '../../workflows/plan/untouched.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import { approve } from '../cli/approve.ts'
import { onDisk } from '../disk/on-disk.ts'
import type { PlannedRun } from './drive-plan.ts'
import { openJournal } from './journal.ts'
import { refused, stopped } from './leave.ts'
import { lookAndPlan } from './look-and-plan.ts'
import type { OpenRun } from './open-run.ts'
import { product } from './product.ts'
import { newRun, type RunPaths } from './run-folder.ts'
import type { Hold } from './take-hold.ts'

/** Looks, plans, asks, and writes the plan down; or says why the run ends here. What was found out goes into `known`. */
export async function beginRun<Wish extends AnyWish>(
  run: OpenRun,
  { verb, wish, inputs }: { verb: Verb<Wish>; wish: Wish; inputs: string },
  held: { hold: Hold; remembered: Remembered },
  known: KnownAtEnd,
): Promise<PlannedRun | End> {
  const { session, call, stop, heartbeat } = run
  /** What was seen before it has expired, and so has the approval of what was planned from it. */
  const slept = (before: number): boolean => {
    const has = heartbeat.sleeps() !== before
    if (has) run.notice('this process slept: the cluster is looked at again, and what is to be done planned anew')
    return has
  }
  let paths: RunPaths | undefined
  let plan: Plan
  for (;;) {
    const sleeps = heartbeat.sleeps()
    const looked = await lookAndPlan(run, verb, wish, held)
    if (looked === undefined || stop.requested.aborted) return stopped(run)
    if (slept(sleeps)) continue
    const made = onDisk(() => paths ?? newRun(run.root, verb.name, new Date()))
    if (!made.ok) return refused(run, [made.failure])
    paths = made.value
    run.becomes(paths)
    known.observed = looked.observed
    if (!looked.planned.ok) return refused(run, looked.planned.failure)
    plan = looked.planned.value
    known.plan = plan
    if (!isEmpty(plan) && !(await approve(call, plan, stop))) {
      run.notice('not approved, so nothing was changed')
      return stop.requested.aborted ? stopped(run) : { exitCode: EXIT_CODES.tryAgain, failures: [], next: call.again }
    }
    if (!slept(sleeps)) break
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
