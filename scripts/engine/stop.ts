import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'

/** A request to stop, as two abort signals: the first starts nothing new, the second stops waiting. */
export type Stop = {
  /** aborted by the first request */
  readonly requested: AbortSignal
  /** aborted by a second request, two seconds later or more */
  readonly forced: AbortSignal
  /** the first signal that was received */
  readonly by: () => StopSignal | undefined
  request(by: StopSignal): void
}

export type StopSignal = 'SIGINT' | 'SIGTERM'

/** How a command ends that was stopped by it. */
export const stoppedBy = (by: StopSignal | undefined): ExitCode =>
  by === 'SIGTERM' ? EXIT_CODES.terminated : EXIT_CODES.interrupted

/** npx and a terminal both deliver one Ctrl-C twice, within milliseconds: that is one request. */
const SAME_REQUEST_MS = 2_000

export function createStop(now: () => number = () => performance.now()): Stop {
  const requested = new AbortController()
  const forced = new AbortController()
  let first: { by: StopSignal; at: number } | undefined
  return {
    requested: requested.signal,
    forced: forced.signal,
    by: () => first?.by,
    request(by) {
      if (!first) {
        first = { by, at: now() }
        requested.abort()
      } else if (now() - first.at >= SAME_REQUEST_MS) {
        forced.abort()
      }
    },
  }
}

/** how many bring their work to a safe point first */
let listening = 0

/** Turns the signals that ask this process to end into requests to stop; returns how to let go of them. */
export function listenForSignals(stop: Stop): () => void {
  listening += 1
  const letGo = hear(stop.request)
  return () => {
    listening -= 1
    letGo()
  }
}

/** Ends the process by `end` at the first signal, unless somebody listens who has something to bring to a safe point. */
export function endAtSignals(end: (by: StopSignal) => never): void {
  hear((by) => {
    if (listening === 0) end(by)
  })
}

function hear(listener: (by: StopSignal) => void): () => void {
  const onInt = () => listener('SIGINT')
  const onTerm = () => listener('SIGTERM')
  process.on('SIGINT', onInt)
  process.on('SIGTERM', onTerm)
  // the terminal was closed, or ssh hung up
  process.on('SIGHUP', onTerm)
  return () => {
    process.off('SIGINT', onInt)
    process.off('SIGTERM', onTerm)
    process.off('SIGHUP', onTerm)
  }
}
