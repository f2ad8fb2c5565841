import type { RunEvent } from '../../workflows/model/event.ts'
import type { ViewKind } from './choose.ts'
import { closingSummary } from './closing-summary.ts'
import { createJsonView } from './json.ts'
import { paintFor } from './paint.ts'
import { createPlainView } from './plain.ts'
import { createQuietView } from './quiet.ts'
import { redact } from './redact.ts'
import { collectReport } from './report.ts'
import type { View } from './view.ts'

/** The terminal, log or pipe that a run is shown on. */
export type Outlet = {
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  env: Readonly<Record<string, string | undefined>>
  now: () => Date
}

/**
 * The view of that kind: progress on stderr, results on stdout. Listr and plain end with the closing summary. listr2 is
 * loaded only when it is wanted, because cron and CI never want it.
 */
export async function openView(kind: ViewKind, outlet: Outlet): Promise<View> {
  const { stdout, stderr, now } = outlet
  // a reader that went away (`| head`, a closed terminal) must not end a run: without a listener, Node does
  for (const stream of [stdout, stderr]) stream.on('error', () => {})
  const toStdout = (text: string) => void stdout.write(text)
  const toStderr = (text: string) => void stderr.write(text)
  switch (kind) {
    case 'json':
      return createJsonView({ write: toStdout, now })
    case 'quiet':
      return createQuietView({ write: toStderr })
    case 'plain':
      return withSummary(createPlainView({ write: toStderr, now }), outlet)
    case 'listr': {
      const { createListrView } = await import('./listr.ts')
      return withSummary(createListrView({ stderr, clearAtEnd: stdout.isTTY, now }), outlet)
    }
  }
}

function withSummary(view: View, { stdout, env, now }: Outlet): View {
  const report = collectReport(now)
  return {
    handle(event: RunEvent) {
      report.handle(event)
      view.handle(event)
    },
    async close() {
      await view.close()
      stdout.write(redact(closingSummary(report.value(), paintFor(stdout, env))))
    },
  }
}
