import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestFileResult } from './run-test-file.ts'
import type { Tier } from './test-files.ts'

/** Seconds that test files took when they were last written down, with another file beside each. */
export type Times = Readonly<Record<Tier, Readonly<Record<string, number>>>>

/** what a file is taken for that nobody has timed */
const unknownSeconds = 120

const pathIn = (root: string): string => join(root, 'test/times.json')

/** Reads test/times.json. */
export function readTimes(root: string): Times {
  const path = pathIn(root)
  const none = { quick: {}, full: {} }
  return existsSync(path) ? { ...none, ...JSON.parse(readFileSync(path, 'utf8')) } : none
}

/** How long that file is expected to take. */
export const secondsOf = (times: Times, tier: Tier, file: string): number => times[tier][file] ?? unknownSeconds

/** Writes anew how long these took, and forgets files that the tier has no more. */
export function writeTimes(
  root: string,
  tier: Tier,
  { results, files }: { results: readonly TestFileResult[]; files: readonly string[] },
): void {
  const times = readTimes(root)
  const now = { ...times[tier], ...Object.fromEntries(results.map(({ file, seconds }) => [file, Math.ceil(seconds)])) }
  const kept = Object.entries(now).filter(([file]) => files.includes(file))
  const sorted = Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(pathIn(root), `${JSON.stringify({ ...times, [tier]: sorted }, null, 2)}\n`)
}
