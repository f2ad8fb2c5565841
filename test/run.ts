/**
 * `npm test [-- <part of a path> …]`: types, lint, unused code, then every test file in a process of its own. Stops at
 * the first kind that fails. The last line is always `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { resolveTool } from '../scripts/toolchain/resolve-tool.ts'
import { createToolProgress } from '../scripts/toolchain/tool-progress.ts'
import { type ToolName, toolTable } from '../scripts/toolchain/tool-table.ts'
import { runTestFile, type TestFileResult } from './support/run-test-file.ts'

const root = join(import.meta.dirname, '..')
const parallelFiles = 2

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Runs a check of the whole tree; false when it fails, after its output. */
function checks(name: string, [program, ...argv]: [string, ...string[]]): boolean {
  const startedAt = Date.now()
  const path = join(root, 'node_modules/.bin', program)
  const { status, stdout, stderr, error } = spawnSync(path, argv, { cwd: root, encoding: 'utf8' })
  if (error) throw error
  say(`${status === 0 ? 'ok  ' : 'FAIL'} ${seconds((Date.now() - startedAt) / 1000)}  ${name}`)
  if (status !== 0) say(`${stdout}${stderr}`.trimEnd())
  return status === 0
}

/** Files that exist, tracked or about to be. */
function testFiles(filters: string[]): string[] {
  const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', 'test'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`)
  const deleted = spawnSync('git', ['ls-files', '--deleted', '--', 'test'], { cwd: root, encoding: 'utf8' }).stdout
  const files = listed.stdout.split('\n').filter((file) => file.endsWith('.test.ts'))
  return files
    .filter((file) => !deleted.split('\n').includes(file))
    .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
    .sort((a, b) => Number(b.endsWith('.lab.test.ts')) - Number(a.endsWith('.lab.test.ts')) || a.localeCompare(b))
}

/** The environment of the tests: the tools by name, and nothing of the clusters that the person at this machine has. */
async function testEnvironment(signal: AbortSignal): Promise<NodeJS.ProcessEnv | undefined> {
  const { TALOSCONFIG: _, KUBECONFIG: __, FORCE_COLOR: ___, TALOSCTL: ____, ETCD: _____, ...env } = process.env
  const progress = createToolProgress(process.stderr)
  for (const name of Object.keys(toolTable) as ToolName[]) {
    const tool = await progress.follow(name, (report) => resolveTool(name, { signal, report }))
    if (!tool.found) return undefined
    env[toolTable[name].override] = tool.path
  }
  return env
}

function describe(result: TestFileResult): void {
  const bad = result.failed > 0 || result.trouble !== undefined
  const counts = [`${result.passed} passed`, `${result.failed} failed`, `${result.skipped} skipped`]
  const told = counts.filter((text, index) => index === 0 || !text.startsWith('0 ')).join(', ')
  const trouble = result.trouble === undefined ? '' : `: ${result.trouble}`
  say(`${bad ? 'FAIL' : 'ok  '} ${seconds(result.seconds)}  ${result.file} (${told})${trouble}`)
  if (bad) say(result.output.trimEnd())
}

const seconds = (number: number): string => `${number.toFixed(1).padStart(6)} s`

async function runFiles(files: string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<TestFileResult[]> {
  const results: TestFileResult[] = []
  const queue = [...files]
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && !signal.aborted; file = queue.shift()) {
      const result = await runTestFile(join(root, file), { env, signal })
      results.push({ ...result, file })
      describe({ ...result, file })
    }
  }
  await Promise.all(Array.from({ length: parallelFiles }, worker))
  return results
}

async function run(filters: string[], signal: AbortSignal): Promise<{ passed: number; failed: number }> {
  const kinds: [string, [string, ...string[]]][] = [
    ['types', ['tsc', '-p', '.']],
    ['lint', ['biome', 'check', '--error-on-warnings', '.']],
    ['unused code', ['knip', '--no-progress']],
  ]
  if (filters.length === 0) for (const [name, argv] of kinds) if (!checks(name, argv)) return { passed: 0, failed: 1 }
  const files = testFiles(filters)
  if (files.length === 0) say(`No test file has ${filters.join(' or ')} in its path`)
  const env = await testEnvironment(signal)
  if (env === undefined || files.length === 0) return { passed: 0, failed: 1 }
  const results = await runFiles(files, env, signal)
  const troubled = results.filter((result) => result.trouble !== undefined && result.failed === 0).length
  const unstarted = files.length - results.length
  if (unstarted > 0) say(`${unstarted} files were not started`)
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    failed: results.reduce((sum, { failed }) => sum + failed, 0) + troubled + (unstarted > 0 ? 1 : 0),
  }
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())

process.chdir(root)
const { passed, failed } = await run(parseArgs({ allowPositionals: true }).positionals, interrupted.signal).catch(
  (error: Error) => {
    say(interrupted.signal.aborted ? 'Interrupted' : (error.stack ?? error.message))
    return { passed: 0, failed: 1 }
  },
)
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
