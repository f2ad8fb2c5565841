import type { Result } from '../../workflows/model/failure.ts'
import { stateInWords } from '../../workflows/plan/unfinished.ts'
import { onDisk } from '../disk/on-disk.ts'
import { unfinishedIntents } from './driver.ts'
import { openJournal } from './journal.ts'
import type { LeftRun } from './left-run.ts'
import type { OpenRun } from './open-run.ts'
import { waitForOrphan } from './orphan.ts'

/** Closes a run that is not followed, with its state in words; a command that it left behind is waited for. */
export async function closeRun({ stop, waiter, notice }: OpenRun, left: LeftRun, why: string): Promise<Result<void>> {
  const opened = onDisk(() => openJournal(left.paths.journal))
  if (!opened.ok) return opened
  const journal = opened.value
  try {
    const open = [...unfinishedIntents(journal.records).values()].flat()
    for (const { processFile, step } of open) {
      const runsOn = await waitForOrphan(processFile, step, waiter('abandon')).catch((error: unknown) => {
        if (!stop.requested.aborted) throw error
        return undefined
      })
      if (runsOn) return { ok: false, failure: runsOn }
    }
    // the one who asked to stop does not want it closed either
    if (stop.requested.aborted) return { ok: true, value: undefined }
    const state = stateInWords(open)
    const closed = onDisk(() => journal.append({ type: 'end', at: new Date().toISOString(), how: 'abandoned', state }))
    if (closed.ok) notice(`abandoned ${left.run}, because ${why}: ${state}`)
    return closed
  } finally {
    onDisk(() => journal.close())
  }
}
