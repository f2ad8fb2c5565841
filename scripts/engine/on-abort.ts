import { setMaxListeners } from 'node:events'

/**
 * Calls `hear` when the signal aborts, or at once where it has; returns how to hear no more. Many questions share the signal of one
 * step, so more than ten who listen are no leak.
 */
export function onAbort(signal: AbortSignal | undefined, hear: () => void): () => void {
  if (signal === undefined) return () => {}
  if (signal.aborted) hear()
  setMaxListeners(0, signal)
  signal.addEventListener('abort', hear, { once: true })
  return () => signal.removeEventListener('abort', hear)
}
