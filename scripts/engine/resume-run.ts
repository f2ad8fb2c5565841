import type { End } from '../../workflows/plan/untouched.ts'
import { onDisk } from '../disk/on-disk.ts'
import type { PlannedRun } from './drive-plan.ts'
import { openJournal } from './journal.ts'
import { refused } from './leave.ts'
import type { OpenRun } from './open-run.ts'
import type { CarriedOn } from './take-up.ts'

/** Carries a run on that an earlier process left, by the plan that it wrote down. */
export function resumeRun(run: OpenRun, { paths, plan }: CarriedOn): PlannedRun | End {
  run.becomes(paths)
  const journal = onDisk(() => openJournal(paths.journal))
  if (!journal.ok) return refused(run, [journal.failure])
  return { paths, journal: journal.value, plan, resumed: true }
}
