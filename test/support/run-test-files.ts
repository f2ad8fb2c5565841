import { join } from 'node:path'
import { nextFile } from './next-file.ts'
import { runTestFile, type TestFileResult } from './run-test-file.ts'

/** What a command that runs tests ends with. */
export type Counts = { passed: number; failed: number }

type Options = {
  root: string
  env: NodeJS.ProcessEnv
  signal: AbortSignal
  say: (line: string) => void
  /** hears of each result as soon as it is there */
  ended?: (result: TestFileResult) => void
}

/** Runs the files in that order, as many at a time as nextFile lets, and says how each ended; fewer results than files where it was told to stop. */
export async function runTestFiles(
  files: readonly string[],
  { root, env, signal, say, ended }: Options,
): Promise<TestFileResult[]> {
  const results: TestFileResult[] = []
  const queue = [...files]
  const running = new Map<string, Promise<void>>()
  const run = async (file: string): Promise<void> => {
    const result = { ...(await runTestFile(join(root, file), { env, signal })), file }
    running.delete(file)
    results.push(result)
    say(resultText(result))
    ended?.(result)
  }
  const startMore = (): void => {
    const file = signal.aborted ? undefined : nextFile(queue, [...running.keys()])
    if (file === undefined) return
    queue.splice(queue.indexOf(file), 1)
    running.set(file, run(file))
    startMore()
  }
  startMore()
  while (running.size > 0) {
    await Promise.race(running.values())
    startMore()
  }
  if (results.length < files.length) say(`${files.length - results.length} files were not started`)
  return results
}

/** One result in a line, and all that the file said where it failed. */
export function resultText(result: TestFileResult, how = ''): string {
  const bad = isBad(result)
  const counts = [`${result.passed} passed`, `${result.failed} failed`, `${result.skipped} skipped`]
  const told = counts.filter((text, index) => index === 0 || !text.startsWith('0 ')).join(', ')
  const trouble = result.trouble === undefined ? '' : `: ${result.trouble}`
  const line = `${bad ? 'FAIL' : 'ok  '} ${secondsText(result.seconds)}  ${result.file} (${told})${trouble}${how}`
  return bad ? `${line}\n${result.output.trimEnd()}` : line
}

/** Seconds as a column. */
export const secondsText = (seconds: number): string => `${seconds.toFixed(1).padStart(6)} s`

const isBad = ({ failed, trouble }: TestFileResult): boolean => failed > 0 || trouble !== undefined

/** Adds results up; a file in trouble, and that some were not started, counts as a failure. */
export function countsOf(results: readonly TestFileResult[], wanted: number): Counts {
  const troubled = results.filter(({ failed, trouble }) => trouble !== undefined && failed === 0).length
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    failed: results.reduce((sum, { failed }) => sum + failed, 0) + troubled + (results.length < wanted ? 1 : 0),
  }
}
