import type { Counts } from './run-test-files.ts'

/** Runs a command that tests, until Ctrl-C or SIGTERM; the last line is always `N passed, N failed`. */
export async function runTests(
  run: (at: { signal: AbortSignal; say: (line: string) => void }) => Promise<Counts>,
): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())
  const { passed, failed } = await run({ signal: interrupted.signal, say }).catch((error: Error) => {
    say(interrupted.signal.aborted ? 'Interrupted' : (error.stack ?? error.message))
    return { passed: 0, failed: 1 }
  })
  say(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
