import type { Call } from '../cli/command.ts'
import { afterRun, isWorthTelling } from '../engine/after-run.ts'
import { type Ran, type Report, reportText } from './report.ts'

type Circumstances = { ran?: Ran; signal?: AbortSignal }

/** Hands the report on where operations.yaml says to whom. */
export async function tellAfter(
  { cluster, layout }: Call,
  report: Report,
  { ran = { changes: [], starts: {} }, signal }: Circumstances = {},
): Promise<void> {
  const { after } = cluster.operations
  if (after === undefined || !isWorthTelling(report)) return
  await afterRun(after, reportText(report, ran), {
    cwd: layout.root,
    write: (text) => void process.stderr.write(text),
    ...(signal && { signal }),
  })
}
