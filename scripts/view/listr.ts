/** The live view: one row a node. listr2 only draws here; what a row says and when it ends comes from the events. */
import { DefaultRenderer, Listr, ListrLogger, ListrTaskState, type ListrTaskWrapper, ProcessOutput } from 'listr2'
import type { RunEvent } from '../../workflows/model/event.ts'
import { durationText } from './duration-text.ts'
import { foldRows } from './fold-rows.ts'
import { createLiveRows, type Row } from './live-rows.ts'
import { redact } from './redact.ts'
import type { View } from './view.ts'

// biome-ignore lint/suspicious/noExplicitAny: listr2's renderer types are parameters that we do not use
type Task = ListrTaskWrapper<unknown, any, any>
type Drawn = { task: Task; finish: (failed: boolean) => void; output?: string | undefined }

/** Seconds are shown from here on: a step that ends sooner would only flicker. */
const SHOW_SECONDS_FROM_MS = 5_000

/** listr2 asks stdout whether it is a terminal, and draws nothing when it is not; we draw on stderr. */
class OnStderr extends DefaultRenderer {
  static override nonTTY = true
}

/** `clearAtEnd`: the summary that follows on the same terminal says it all again. */
export function createListrView(options: { stderr: NodeJS.WriteStream; clearAtEnd: boolean; now: () => Date }): View {
  const { stderr, clearAtEnd, now } = options
  const live = createLiveRows()
  const drawn = new Map<string, Drawn>()
  let running: Promise<unknown> | undefined
  let ticking: NodeJS.Timeout | undefined
  // a run may end before listr2 has started its rows
  let closed = false

  function begin(): void {
    const list = new Listr<unknown, typeof OnStderr, 'silent'>(
      live.rows().map(({ name }) => ({
        // blank rows are not drawn: which ones fit is decided when they start
        title: ' ',
        task: (_context: unknown, task: Task) =>
          new Promise<void>((resolve, reject) => {
            drawn.set(name, { task, finish: (failed) => (failed ? reject(new Error(name)) : resolve()) })
            draw()
            if (closed) finish(name)
          }),
      })),
      {
        concurrent: true,
        exitOnError: false,
        registerSignalListeners: false,
        renderer: OnStderr,
        fallbackRenderer: 'silent',
        rendererOptions: {
          logger: new ListrLogger({ processOutput: new ProcessOutput(stderr, stderr) }),
          formatOutput: 'truncate',
          showErrorMessage: false,
          collapseErrors: true,
          clearOutput: clearAtEnd,
        },
      },
    )
    running = list.run()
    ticking = setInterval(draw, 1_000)
    ticking.unref()
  }

  function draw(): void {
    const rows = live.rows()
    // listr2 ends a frame with a line break, and the shell's prompt wants one line as well
    const { shown, detailed, rest } = foldRows(rows, (stderr.rows || 24) - 3)
    const nameWidth = Math.max(...rows.map(({ name }) => name.length))
    for (const [index, row] of rows.entries()) {
      const here = drawn.get(row.name)
      if (here === undefined) continue
      const { task } = here.task
      const text = index === 0 && rest !== undefined ? `${row.text}; ${rest}` : row.text
      // set beside listr2's setters, each of which draws the whole list at once: the spinner draws ten times a second
      task.title = shown.has(row.name) ? line(row, text, nameWidth) : ' '
      const output = detailed.has(row.name) ? row.waits : undefined
      if (output !== here.output) {
        here.output = output
        here.task.output = cut(redact(output ?? ''), 6)
      }
      const state = row.state === 'waiting' ? ListrTaskState.WAITING : ListrTaskState.STARTED
      if (!task.hasFinalized() && task.state !== state) task.state = state
    }
  }

  function line(row: Row, text: string, nameWidth: number): string {
    const tookMs = row.since === undefined ? 0 : now().getTime() - row.since
    const took = tookMs >= SHOW_SECONDS_FROM_MS ? `  ${durationText(tookMs)}` : ''
    return cut(`${row.name.padEnd(nameWidth)}  ${redact(text)}${took}`, 4)
  }

  /** listr2 measures stdout, which may be a file while stderr is a narrow terminal. */
  function cut(text: string, taken: number): string {
    const width = Math.max((stderr.columns || 80) - taken, 20)
    return text.length > width ? `${text.slice(0, width - 1)}…` : text
  }

  /** Ends the row as it stands; listr2 only takes a row as ended that it knows as started. */
  function finish(name: string): void {
    const here = drawn.get(name)
    const row = live.rows().find((other) => other.name === name)
    if (here === undefined) return
    here.task.task.state = ListrTaskState.STARTED
    here.finish(row?.state !== 'done')
  }

  return {
    handle(event: RunEvent) {
      live.handle(event, now().getTime())
      if (event.type === 'run.started') running ?? begin()
      else draw()
    },
    async close() {
      clearInterval(ticking)
      closed = true
      if (running === undefined) return
      draw()
      for (const name of drawn.keys()) finish(name)
      await running
    },
  }
}
