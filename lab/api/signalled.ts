/**
 * Runs `attach` with a callback that wakes the loop, and yields once at the start and after every wake-up until the
 * signal is aborted. Wake-ups that come while the consumer is busy count as one.
 */
export async function* signalled(attach: (wake: () => void) => () => void, signal: AbortSignal): AsyncGenerator<void> {
  let isPending = true
  let resume: (() => void) | undefined
  const wake = (): void => {
    isPending = true
    resume?.()
  }
  const detach = attach(wake)
  signal.addEventListener('abort', wake)
  try {
    while (!signal.aborted) {
      if (!isPending) await new Promise<void>((resolve) => (resume = resolve))
      resume = undefined
      isPending = false
      if (!signal.aborted) yield
    }
  } finally {
    signal.removeEventListener('abort', wake)
    detach()
  }
}
