/** A killed run can leave a command behind that goes on: the next run waits for it before it acts. */
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { stepNamed } from '../../workflows/model/step-facts.ts'
import { type Waiter, watch } from '../watch.ts'
import { notedProcess } from './process-note.ts'

/** longest time for which a command of a dead run is waited for; it had a deadline of its own, which died with its run */
const DEADLINE_MS = 30 * 60_000

/** between SIGTERM and SIGKILL of what may be cut off */
const GRACE_MS = 3_000

/**
 * Waits until the process that the file names has ended, which was started for `step`; one that may be cut off is ended, with
 * its group. Returns why nothing may begin beside it where it goes on all the same.
 */
export async function waitForOrphan(
  processFile: string,
  step: string,
  waiter: Waiter,
  { deadlineMs = DEADLINE_MS, graceMs = GRACE_MS } = {},
): Promise<Failure | undefined> {
  const pid = notedProcess(processFile)
  if (pid === undefined) return undefined
  const hasEnded = async (withinMs: number): Promise<boolean> => {
    const { met } = await watch(waiter, {
      what: `the command of an earlier run (pid ${pid}) to end`,
      look: async () => notedProcess(processFile),
      until: (seen) => seen === undefined,
      deadlineMs: withinMs,
      everyMs: 100,
    })
    return met
  }
  // a cut off installation leaves a slot that nobody can judge
  if (!stepNamed(step)?.writesSlot) {
    signalGroup(pid, 'SIGTERM')
    if (await hasEnded(graceMs)) return undefined
    signalGroup(pid, 'SIGKILL')
  }
  if (await hasEnded(deadlineMs)) return undefined
  return failure('earlier-command-runs', {
    detail: `the command of an earlier run for ${step} (pid ${pid}) does not end, and nothing is begun beside it`,
    hint: `ps -fp ${pid} # look what it waits for; when it is gone, run this again`,
  })
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // it ended just now
  }
}
