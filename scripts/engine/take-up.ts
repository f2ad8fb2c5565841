import type { Failure, Result } from '../../workflows/model/failure.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import { type Finder, fatesOf } from '../../workflows/plan/unfinished.ts'
import { closeRun } from './close-run.ts'
import type { LeftRun } from './left-run.ts'
import type { OpenRun } from './open-run.ts'

/** An earlier run, and the plan that it wrote down. */
export type CarriedOn = Pick<LeftRun, 'paths'> & { plan: Plan }

/** The run that is carried on, where there is one; the others are closed, unless one of them may not be. */
export async function takeUp(
  run: OpenRun,
  unfinished: readonly LeftRun[],
  finder: Finder,
): Promise<Result<CarriedOn | undefined, Failure[]>> {
  const fates = fatesOf(unfinished, finder)
  const inTheWay = fates.flatMap((fate) => (fate.is === 'in the way' ? [fate.failure] : []))
  if (inTheWay.length > 0) return { ok: false, failure: inTheWay }
  for (const [at, fate] of fates.entries()) {
    const left = unfinished[at]
    if (left === undefined || fate.is !== 'closed') continue
    const closed = await closeRun(run, left, fate.why)
    if (!closed.ok) return { ok: false, failure: [closed.failure] }
  }
  const carriedOn = unfinished[fates.findIndex(({ is }) => is === 'carried on')]
  const plan = carriedOn?.behind.plan
  return { ok: true, value: plan && { paths: carriedOn.paths, plan } }
}
