import { begunBy } from '../../workflows/plan/judge.ts'
import { readPlan } from '../../workflows/plan/read-plan.ts'
import type { Unfinished } from '../../workflows/plan/unfinished.ts'
import type { LeftBehind } from '../../workflows/plan/untouched.ts'
import type { Crew } from './crew.ts'
import { leadsOn } from './driver.ts'
import type { UnfinishedRun } from './run-folder.ts'

/** A run that another process did not bring to its end, as its journal tells of it, read and replayed once. */
export type LeftRun = Unfinished & UnfinishedRun & { behind: LeftBehind }

/** What is to be known of it before anything is decided. */
export function leftRun({ root, machines }: Crew, found: UnfinishedRun): LeftRun {
  const { paths, record, records } = found
  const { command: verb, product, inputs, identity, plan, again } = record
  const readable = readPlan(plan)
  return {
    ...found,
    ...{ run: paths.run, verb, inputs, plan, again, ...(product === undefined ? {} : { product }), identity },
    leads: readable ? leadsOn({ machines, root, input: readable, journal: { records } }) : 'nowhere',
    leftForMs: Date.now() - Date.parse(records.findLast((one) => 'at' in one)?.at ?? ''),
    behind: { begun: begunBy(records), ...(readable && { plan: readable }) },
  }
}
