/** A killed run can leave a command behind that goes on: the next run waits for it before it acts. */
import { stepNamed } from '../../workflows/model/steps.ts'
import { type Waiter, watch } from '../watch.ts'
import { notedProcess } from './process-note.ts'

/** longest time for which a command of a dead run is waited for; it had a deadline of its own, which died with its run */
const DEADLINE_MS = 30 * 60_000

/**
 * Returns when the process that the file names has ended, which was started for `step`. Ends its group where that is
 * allowed.
 */
export async function waitForOrphan(processFile: string, step: string, waiter: Waiter): Promise<void> {
  const pid = notedProcess(processFile)
  if (pid === undefined) return
  // a cut off installation leaves a slot that nobody can judge
  if (!stepNamed(step)?.writesSlot) endGroup(pid)
  await watch(waiter, {
    what: `the command of an earlier run (pid ${pid}) to end`,
    look: async () => notedProcess(processFile),
    until: (seen) => seen === undefined,
    deadlineMs: DEADLINE_MS,
    everyMs: 100,
  })
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM')
  } catch {
    // it ended just now
  }
}
