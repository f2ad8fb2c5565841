import { spawnSync } from 'node:child_process'
import { keptResults } from './kept-results.ts'
import type { TestFileResult } from './run-test-file.ts'
import { type Counts, countsOf, resultText, runTestFiles } from './run-test-files.ts'
import { sharesOf } from './shares.ts'
import { testFiles } from './test-files.ts'
import { readTimes, secondsOf, writeTimes } from './times.ts'
import { treeHash } from './tree-hash.ts'

/** What of the full tier is wanted; all of it where nothing is said. */
export type FullWishes = {
  /** parts of paths */
  words: readonly string[]
  /** `k/n`, of files cut anew into n; or `auto`, the one whose turn it is */
  share?: string
  /** forgets the results that are kept for this tree */
  anew?: boolean
  /** writes down how long the files took */
  writesTimes?: boolean
}

type At = {
  root: string
  /** where results are kept */
  folder: string
  /** asked for when the first file is to be started */
  environment: () => Promise<NodeJS.ProcessEnv | undefined>
  signal: AbortSignal
  say: (line: string) => void
}

/** Runs what `npm test` leaves over, and goes on where an earlier run of the same tree was stopped. */
export async function runFull(
  { words, share, anew = false, writesTimes = false }: FullWishes,
  { root, folder, environment, signal, say }: At,
): Promise<Counts> {
  const all = testFiles(root, 'full')
  const times = readTimes(root)
  const seconds = (file: string): number => secondsOf(times, 'full', file)
  const shares = sharesOf(all, seconds)
  const chosen = share === undefined ? undefined : shareIn(root, share, shares.length)
  if (chosen === 'none') {
    say(`--share is auto, or one of 1/${shares.length} to ${shares.length}/${shares.length}, and not ${share}`)
    return { passed: 0, failed: 1 }
  }
  const of = chosen === undefined ? shares : shares.slice(chosen - 1, chosen)
  const wanted = of.flat().filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  if (wanted.length === 0) {
    say(`No file of the full tier is meant by ${[...words, share ?? ''].join(' ')}`)
    return { passed: 0, failed: 1 }
  }
  const tree = treeHash(root)
  const whole = `all ${shares.length} shares, of ten minutes at most each`
  say(`${chosen === undefined ? whole : `share ${chosen} of ${shares.length}`}: ${wanted.length} files, tree ${tree}`)
  const kept = keptResults(folder, tree)
  const results: TestFileResult[] = []
  for (const result of wanted.flatMap((file) => (anew ? [] : (kept.get(file) ?? [])))) {
    results.push(result)
    say(resultText(result, ', kept from an earlier run of this tree'))
  }
  const left = wanted.filter((file) => !results.some((result) => result.file === file))
  if (left.length > 0) {
    const env = await environment()
    if (env === undefined) return { passed: 0, failed: 1 }
    const longestFirst = left.sort((a, b) => seconds(b) - seconds(a))
    const ended = (result: TestFileResult): void => {
      // a result is one of the tree that it was begun on, and says nothing of one that somebody changed meanwhile
      if (!signal.aborted && treeHash(root) === tree) kept.put(result)
    }
    const ran = await runTestFiles(longestFirst, { root, env: { ...env, TIER: 'full' }, signal, say, ended })
    if (writesTimes) writeTimes(root, 'full', { results: ran, files: all })
    results.push(...ran)
  }
  return countsOf(results, wanted.length)
}

/** The number of the share that is meant, from 1 on. */
function shareIn(root: string, share: string, count: number): number | 'none' {
  if (share === 'auto') {
    const { status, stdout, stderr } = spawnSync('git', ['rev-list', '--count', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`git rev-list: ${stderr}`)
    return (Number(stdout) % count) + 1
  }
  const all = Array.from({ length: count }, (_, index) => index + 1)
  return all.find((number) => share === `${number}/${count}`) ?? 'none'
}
