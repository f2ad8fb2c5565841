import { createRun } from '../run.ts'
import { howEnded, isDone } from '../tools/ended.ts'
import { redact } from '../view/redact.ts'
import type { Report } from '../view/report.ts'

/** longest time that a message about a run may take */
const DEADLINE_MS = 60_000

/** Whether there is anything to tell: a run that found nothing to do is silent. */
export const isWorthTelling = ({ exitCode, steps }: Pick<Report, 'exitCode' | 'steps'>): boolean =>
  exitCode !== 0 || steps.length > 0

/**
 * Gives the report of a run to the person's own command, by `sh -c`, on its standard input; what it says goes to `write`.
 * What it puts into the background is not waited for. It changes nothing about how the run ended: that it fails, or does not end before its deadline, is a warning.
 */
export async function afterRun(
  command: string,
  report: string,
  {
    cwd,
    write,
    signal,
    deadlineMs = DEADLINE_MS,
  }: { cwd: string; write: (text: string) => void; signal?: AbortSignal; deadlineMs?: number },
): Promise<void> {
  const say = (line: string) => write(redact(`${line}\n`))
  const run = createRun({ paths: {}, env: process.env, cwd })
  const result = await run(
    { tool: 'sh', argv: ['-c', command], stdin: report, timeoutMs: deadlineMs, mutates: true },
    { onLine: say, onErrorLine: say, endsAlone: true, ...(signal && { signal }) },
  )
  if (isDone(result)) return
  const why =
    result.ended.by === 'abort'
      ? 'was stopped'
      : result.ended.by === 'deadline'
        ? `did not end within ${deadlineMs / 1000} s`
        : howEnded(result)
  say(`Warning: the command \`after\` of operations.yaml ${why}; how the run ended stays as it was told`)
}
