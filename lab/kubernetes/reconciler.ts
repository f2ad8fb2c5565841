/**
 * Wakes an operator: each wake has `settle` begin once more, one run after another. What it fails with goes to stderr,
 * under the operator's name, until the signal aborts.
 */
export function reconciler(name: string, signal: AbortSignal, settle: () => Promise<void>): () => void {
  let isWaiting = false
  let turn: Promise<void> = Promise.resolve()
  return () => {
    if (isWaiting) return
    isWaiting = true
    turn = turn
      .then(() => {
        isWaiting = false
        return settle()
      })
      .catch((error: unknown) => {
        if (!signal.aborted) process.stderr.write(`${name}: ${String(error)}\n`)
      })
  }
}
