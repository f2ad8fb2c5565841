import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runTestFile } from './run-test-file.ts'

const test = suite<{ folder: string }>('run-test-file')
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'run-test-file-'))
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

const uvu = `import { test } from ${JSON.stringify(import.meta.resolve('uvu'))}`

function runs(folder: string, lines: string[], signal = new AbortController().signal) {
  const file = join(folder, 'sample.test.ts')
  writeFileSync(file, lines.join('\n'))
  return runTestFile(file, { env: process.env, signal })
}

const verdict = ({ passed, failed, skipped, trouble }: Awaited<ReturnType<typeof runTestFile>>) => ({
  passed,
  failed,
  skipped,
  trouble,
})

/** Resolves when the process has ended; a zombie that nobody has collected yet has. */
async function ended(pid: string): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' })
    if (stdout.trim() === '' || stdout.startsWith('Z')) return
    assert.ok(Date.now() < deadline, `${pid} still runs: ${stdout}`)
    await pause(50)
  }
}

test('counts what passed, failed and was skipped', async ({ folder }) => {
  const result = await runs(folder, [
    uvu,
    `test('one', () => {})`,
    `test('two', () => {})`,
    `test('bad', () => { throw new Error('it does not hold') })`,
    `test.skip('later', () => {})`,
    'test.run()',
  ])
  assert.equal(verdict(result), { passed: 2, failed: 1, skipped: 1, trouble: undefined })
  assert.match(result.output, 'it does not hold')
})

test('fails a file that forgets to run its tests', async ({ folder }) => {
  const result = await runs(folder, [uvu, `test('one', () => {})`])
  assert.is(result.trouble, 'ended with code 0 and no summary')
})

test('fails a file that runs and has no test', async ({ folder }) => {
  const result = await runs(folder, [uvu, 'test.run()'])
  assert.is(result.trouble, 'ran no test')
})

test('fails a file that breaks before its tests', async ({ folder }) => {
  const result = await runs(folder, [uvu, `throw new Error('early')`])
  assert.is(result.trouble, 'ended with code 1 and no summary')
  assert.match(result.output, 'early')
})

test('fails a file whose tests pass and that ends badly', async ({ folder }) => {
  const result = await runs(folder, [
    uvu,
    `test('one', () => {})`,
    'test.run()',
    `process.on('exit', () => { process.exitCode = 3 })`,
  ])
  assert.equal(verdict(result), {
    passed: 1,
    failed: 0,
    skipped: 0,
    trouble: 'ended with code 3 although its tests passed',
  })
})

test('stops a file that takes longer than the limit in its first line, with all that it started', async ({
  folder,
}) => {
  const pidFile = join(folder, 'pid')
  const result = await runs(folder, [
    '// limit: 3 s',
    uvu,
    `import { spawn } from 'node:child_process'`,
    `import { writeFileSync } from 'node:fs'`,
    `test('waits for ever', async () => {`,
    `  const child = spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'], { stdio: 'inherit' })`,
    `  writeFileSync(${JSON.stringify(pidFile)}, String(child.pid))`,
    '  await new Promise(() => {})',
    '})',
    'test.run()',
  ])
  assert.is(result.trouble, 'took longer than 3 s')
  await ended(readFileSync(pidFile, 'utf8'))
})

test('ends what a file leaves running in its process group', async ({ folder }) => {
  const pidFile = join(folder, 'pid')
  const result = await runs(folder, [
    uvu,
    `import { spawn } from 'node:child_process'`,
    `import { writeFileSync } from 'node:fs'`,
    `test('one', () => {`,
    `  const child = spawn('sleep', ['60'], { stdio: 'inherit' })`,
    '  child.unref()',
    `  writeFileSync(${JSON.stringify(pidFile)}, String(child.pid))`,
    '})',
    'test.run()',
  ])
  assert.equal(verdict(result), { passed: 1, failed: 0, skipped: 0, trouble: undefined })
  await ended(readFileSync(pidFile, 'utf8'))
})

test('stops when the whole run is interrupted', async ({ folder }) => {
  const stop = new AbortController()
  stop.abort()
  const result = await runs(
    folder,
    [uvu, `test('waits', () => new Promise((r) => setTimeout(r, 60000)))`, 'test.run()'],
    stop.signal,
  )
  assert.is(result.trouble, 'was interrupted')
})

test.run()
