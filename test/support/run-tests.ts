import { rmSync } from 'node:fs'
import { memoryFolder } from './memory-folder.ts'
import type { Counts } from './run-test-files.ts'

type At = { signal: AbortSignal; say: (line: string) => void; tmpdir: string | undefined }

/**
 * Runs a command that tests, until Ctrl-C or SIGTERM, with a folder for temporary files where memory has room for them; the
 * last line is always `N passed, N failed`.
 */
export async function runTests(run: (at: At) => Promise<Counts>): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())
  const tmpdir = memoryFolder()
  const { passed, failed } = await run({ signal: interrupted.signal, say, tmpdir }).catch((error: Error) => {
    say(interrupted.signal.aborted ? 'Interrupted' : (error.stack ?? error.message))
    return { passed: 0, failed: 1 }
  })
  if (tmpdir !== undefined) rmSync(tmpdir, { recursive: true, force: true })
  say(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
