import { summarize } from '../../workflows/machines/summarize.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { endingOf, type Way } from '../../workflows/plan/ending.ts'
import { begunBy } from '../../workflows/plan/judge.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import { onDisk } from '../disk/on-disk.ts'
import type { Crew } from './crew.ts'
import { type Driven, drive } from './driver.ts'
import type { Journal } from './journal.ts'
import type { OpenRun } from './open-run.ts'
import type { RunPaths } from './run-folder.ts'
import { type Stop, stoppedBy } from './stop.ts'
import type { Hold } from './take-hold.ts'

/** A run whose plan stands in its journal. */
export type PlannedRun = { paths: RunPaths; journal: Journal; plan: Plan; resumed: boolean }

/** Drives a plan as far as it goes, and says how it ended. */
export async function drivePlan(
  { root, machines, steps, standing }: Crew,
  run: OpenRun,
  { paths, journal, plan, resumed }: PlannedRun,
  { hold, remembered }: { hold: Hold; remembered: Remembered },
): Promise<ExitCode> {
  const { session, call, stop, heartbeat } = run
  const started = { run: paths.run, command: plan.verb, cluster: session.cluster.name, resumed }
  run.emit({ type: 'run.started', ...started, plan: summarize(plan) })
  const ends = new AbortController()
  const driven = await drive({
    ...{ root, machines, input: plan, journal, heartbeat, stop, processes: paths.processes, emit: run.emit },
    steps: steps({ session, plan, remembered, journal, run: paths.run, root: run.root, ends: ends.signal }),
    ...{ fence: hold.fence, confirm: hold.confirm, loses: hold.loses },
  }).finally(() => ends.abort())
  const { verdicts: stood, failures, cordoned } = standing(driven.state)
  const begun = begunBy([...journal.records, ...driven.unwritten])
  const ending = endingOf({ way: wayOf(driven, stop), stood, failures, plans: plan.nodes, begun, again: call.again })
  if (driven.ended === 'done') {
    // all of it is done and recorded; without this line the next run finds that out once more
    const { exitCode } = ending
    onDisk(() => journal.append({ type: 'end', at: new Date().toISOString(), how: 'finished', exitCode }))
  }
  onDisk(() => journal.close())
  for (const node of driven.ended === 'done' ? [] : cordoned)
    run.emit({ type: 'notice', node, text: 'stays cordoned until a run goes on, which lifts its own cordons first' })
  return run.end(ending)
}

const wayOf = (driven: Driven, stop: Stop): Way => {
  if (driven.ended === 'broken') return { ended: 'broken', failure: driven.failure }
  return driven.ended === 'done' ? { ended: 'done' } : { ended: 'stopped', exitCode: stoppedBy(stop.by()) }
}
