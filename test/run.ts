/**
 * `npm test [-- [--write-times] <part of a path> …]`: types, lint, unused code, then each test file but those of the full
 * tier in a process of its own. Stops at the first kind that fails. The last line is always `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Counts, countsOf, runTestFiles, secondsText } from './support/run-test-files.ts'
import { runTests } from './support/run-tests.ts'
import { testEnvironment } from './support/test-environment.ts'
import { testFiles } from './support/test-files.ts'
import { readTimes, secondsOf, writeTimes } from './support/times.ts'

const root = join(import.meta.dirname, '..')
process.chdir(root)

/** Checks of the whole tree. */
const kinds: readonly [name: string, program: string, ...argv: string[]][] = [
  ['types', 'tsc', '-p', '.'],
  ['lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['unused code', 'knip', '--no-progress'],
]

type Say = (line: string) => void

/** False when it fails, after its output. */
function checks([name, program, ...argv]: (typeof kinds)[number], say: Say): boolean {
  const startedAt = Date.now()
  const path = join(root, 'node_modules/.bin', program)
  const { status, stdout, stderr, error } = spawnSync(path, argv, { cwd: root, encoding: 'utf8' })
  if (error) throw error
  say(`${status === 0 ? 'ok  ' : 'FAIL'} ${secondsText((Date.now() - startedAt) / 1000)}  ${name}`)
  if (status !== 0) say(`${stdout}${stderr}`.trimEnd())
  return status === 0
}

type Wishes = {
  words: readonly string[]
  writesTimes: boolean
  signal: AbortSignal
  say: Say
  tmpdir: string | undefined
}

async function run({ words, writesTimes, signal, say, tmpdir }: Wishes): Promise<Counts> {
  if (words.length === 0 && !kinds.every((kind) => checks(kind, say))) return { passed: 0, failed: 1 }
  const all = testFiles(root, 'quick')
  const times = readTimes(root)
  const files = all
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort((a, b) => secondsOf(times, 'quick', b) - secondsOf(times, 'quick', a) || a.localeCompare(b))
  if (files.length === 0) say(`No test file has ${words.join(' or ')} in its path`)
  const env = await testEnvironment(root, signal, tmpdir)
  if (env === undefined || files.length === 0) return { passed: 0, failed: 1 }
  const results = await runTestFiles(files, { root, env, signal, say })
  if (writesTimes) writeTimes(root, 'quick', { results, files: all })
  return countsOf(results, files.length)
}

await runTests(async ({ signal, say, tmpdir }) => {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: { 'write-times': { type: 'boolean', default: false } },
  })
  return run({ words, writesTimes: values['write-times'], signal, say, tmpdir })
})
