import type { Call } from '../cli/command.ts'
import { afterRun, isWorthTelling } from '../engine/after-run.ts'
import { type Report, reportText } from './report.ts'

type Circumstances = { changes?: readonly (readonly string[])[]; signal?: AbortSignal }

/** Hands the report on where operations.yaml says to whom. */
export async function tellAfter(
  { cluster, layout }: Call,
  report: Report,
  { changes = [], signal }: Circumstances = {},
): Promise<void> {
  const { after } = cluster.operations
  if (after === undefined || !isWorthTelling(report)) return
  await afterRun(after, reportText(report, changes), {
    cwd: layout.root,
    write: (text) => void process.stderr.write(text),
    ...(signal && { signal }),
  })
}
