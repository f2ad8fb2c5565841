import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { originalPlaces } from './original-places.ts'

/** How one test file ended; `trouble` says why it counts as failed although no test of it did. */
export type TestFileResult = {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  readonly trouble?: string
  readonly output: string
}

const defaultLimitSeconds = 300
const graceMs = 2_000

/**
 * Runs one uvu file in a process group of its own and judges it by uvu's summary. uvu itself passes a file that
 * registers nothing, and waits for ever for one that leaves a socket open: both are failures here.
 */
export async function runTestFile(
  file: string,
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<TestFileResult> {
  const startedAt = Date.now()
  const limit = limitSeconds(file)
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const killGroup = (how: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, how)
    } catch {
      // The group is gone, which is what was wanted.
    }
  }
  let stopped: string | undefined
  let kill: NodeJS.Timeout | undefined
  const stop = (why: string): void => {
    stopped ??= why
    killGroup('SIGTERM')
    kill ??= setTimeout(() => killGroup('SIGKILL'), graceMs)
  }
  const timer = setTimeout(() => stop(`took longer than ${limit} s`), limit * 1000)
  const interrupt = (): void => stop('was interrupted')
  signal.addEventListener('abort', interrupt, { once: true })
  if (signal.aborted) interrupt()
  // What the file started may hold its pipes open: its own end decides, and the rest of its group ends with it.
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, by) => resolve(by ?? `code ${code}`))
  })
  clearTimeout(timer)
  clearTimeout(kill)
  signal.removeEventListener('abort', interrupt)
  killGroup('SIGKILL')
  const waited = new AbortController()
  await Promise.race([closed, pause(graceMs, undefined, { signal: waited.signal }).catch(() => {})])
  waited.abort()
  const summary = readSummary(output)
  const trouble = stopped ?? troubleOf(summary, ended)
  return {
    file,
    ...(summary ?? { passed: 0, failed: 0, skipped: 0 }),
    seconds: (Date.now() - startedAt) / 1000,
    ...(trouble === undefined ? {} : { trouble }),
    output: originalPlaces(output),
  }
}

type Summary = { passed: number; failed: number; skipped: number }

/** uvu's Total leaves the skipped tests out. */
function readSummary(output: string): Summary | undefined {
  const last = (name: string): number | undefined => {
    const number = [...stripVTControlCharacters(output).matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)\\s*$`, 'gm'))].at(
      -1,
    )
    return number?.[1] === undefined ? undefined : Number(number[1])
  }
  const [total, passed, skipped] = [last('Total'), last('Passed'), last('Skipped')]
  if (total === undefined || passed === undefined || skipped === undefined) return undefined
  return { passed, failed: total - passed, skipped }
}

function troubleOf(summary: Summary | undefined, ended: string): string | undefined {
  if (summary === undefined) return `ended with ${ended} and no summary`
  if (summary.passed + summary.failed === 0) return 'ran no test'
  return ended !== 'code 0' && summary.failed === 0 ? `ended with ${ended} although its tests passed` : undefined
}

function limitSeconds(file: string): number {
  const [firstLine = ''] = readFileSync(file, 'utf8').split('\n', 1)
  return Number(/^\/\/ limit: (\d+) s$/.exec(firstLine)?.[1] ?? defaultLimitSeconds)
}
