import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { stateInWords } from '../../workflows/plan/unfinished.ts'
import type { Call } from '../cli/command.ts'
import { reject } from '../cli/reject.ts'
import { printNotices } from '../view/print-notices.ts'
import { unfinishedIntents } from './driver.ts'
import { findUnfinishedRuns, fromMemory, runFolder } from './run-folder.ts'

/** Prints which runs `--abandon` would close, and how they stand; changes nothing. */
export function rehearseAbandon({ common, layout }: Call): ExitCode {
  const found = fromMemory(() => findUnfinishedRuns(runFolder(layout.folder)))
  if (!found.ok) return reject([found.failure], common)
  const would = found.value.map(({ paths, records }) => {
    const open = [...unfinishedIntents(records).values()].flat()
    return `${paths.run} would be closed: ${stateInWords(open)}`
  })
  printNotices(would.length > 0 ? would : [NONE], common)
  return would.length > 0 ? EXIT_CODES.pending : EXIT_CODES.done
}

const NONE = 'no run is unfinished, so there is none to abandon'
