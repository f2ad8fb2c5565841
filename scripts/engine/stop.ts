/** A request to stop, as two abort signals: the first starts nothing new, the second stops waiting. */
export type Stop = {
  /** aborted by the first request */
  readonly requested: AbortSignal
  /** aborted by a second request, two seconds later or more */
  readonly forced: AbortSignal
  /** the first signal that was received */
  readonly by: () => 'SIGINT' | 'SIGTERM' | undefined
  request(by: 'SIGINT' | 'SIGTERM'): void
}

/** npx and a terminal both deliver one Ctrl-C twice, within milliseconds: that is one request. */
const SAME_REQUEST_MS = 2_000

export function createStop(now: () => number = () => performance.now()): Stop {
  const requested = new AbortController()
  const forced = new AbortController()
  let first: { by: 'SIGINT' | 'SIGTERM'; at: number } | undefined
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

/** Turns the signals that ask this process to end into requests to stop; returns how to let go of them. */
export function listenForSignals(stop: Stop): () => void {
  const onInt = () => stop.request('SIGINT')
  const onTerm = () => stop.request('SIGTERM')
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
