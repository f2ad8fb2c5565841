import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../../support/eventually.ts'
import { watchProcess } from '../../support/run-entry.ts'

const root = join(import.meta.dirname, '..', '..', '..')

/** Arguments of node for a workflow whose body is that code. */
function argvOf(body: string, ...flags: string[]): string[] {
  const code = `
    import { bareCommand } from './scripts/cli/command.ts'
    import { createRun } from './scripts/run.ts'
    await bareCommand({ name: 'try', summary: 'tries', flags: {}, run: async () => { ${body} } })`
  return ['--import', 'tsx', '--input-type=module', '-e', code, '--', 'try.ts', ...flags]
}

const runs = (body: string, ...flags: string[]) =>
  spawnSync(process.execPath, argvOf(body, ...flags), { cwd: root, encoding: 'utf8' })

for (const [title, body] of [
  ['thrown', `throw new Error('the moon is full')`],
  [
    'thrown where nobody waits',
    `setImmediate(() => { throw new Error('the moon is full') }); await new Promise(() => {})`,
  ],
  ['rejected where nobody waits', `void Promise.reject(new Error('the moon is full')); await new Promise(() => {})`],
] as const)
  test(`a bug that is ${title} ends with a last word that says so`, () => {
    const { status, stdout } = runs(body, '--cluster', '7', '--output', 'json')
    assert.is(status, 1)
    const { type, exitCode, failures, next } = JSON.parse(stdout)
    assert.equal({ type, exitCode, reason: failures[0].reason }, { type: 'run.finished', exitCode: 1, reason: 'bug' })
    assert.match(failures[0].detail, 'the moon is full')
    assert.is(next, 'node --import tsx workflows/try.ts --cluster 7 --output json')
    const said = runs(body, '--cluster', '7')
    assert.is(said.status, 1)
    assert.match(said.stderr, /the moon is full/)
  })

for (const flags of [
  ['--output', 'json', '--nope'],
  ['--output=json', '--cluster', '7', '--nodes'],
])
  test(`a wrong command line ends with a last word that a script can read: ${flags.join(' ')}`, () => {
    const { status, stdout } = runs('return 0', ...flags)
    const { type, exitCode, failures } = JSON.parse(stdout)
    assert.equal([status, type, exitCode, failures[0].reason], [64, 'run.finished', 64, 'usage'])
  })

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 143],
] as const)
  test(`a command that only looks ends at the first ${signal}, and what it had started ends with it`, async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'looks-'))
    const tool = join(scratch, 'talosctl')
    const pid = join(scratch, 'pid')
    // the shell that starts it leaves it alone, and it ignores whoever asks it to end
    writeFileSync(tool, `#!/bin/sh\ntrap '' TERM INT HUP\necho $$ >'${pid}'\nwhile :; do sleep 1; done\n`)
    chmodSync(tool, 0o755)
    const body = `
      const run = createRun({ paths: { talosctl: '${tool}' }, env: process.env })
      await run({ tool: 'talosctl', argv: [], timeoutMs: 600_000, mutates: false })
      process.stdout.write('it went on')
      return 0`
    const looks = watchProcess(process.execPath, argvOf(body, '--cluster', '7', '--output', 'json'), process.env)
    const started = await eventually(
      () => Number(readText(pid)) || undefined,
      () => 'it never started the tool',
    )
    looks.kill(signal)
    const { code: ended, stdout } = await looks.closed
    assert.is(ended, code)
    const { type, exitCode, failures, next } = JSON.parse(stdout)
    const again = 'node --import tsx workflows/try.ts --cluster 7 --output json'
    assert.equal(
      { type, exitCode, failures, next },
      { type: 'run.finished', exitCode: code, failures: [], next: again },
    )
    await eventually(
      () => !isAlive(started) || undefined,
      () => `the tool (pid ${started}) is left behind`,
    )
    rmSync(scratch, { recursive: true })
  })

test('a signal that comes after the last word, while the person is told of it, adds none and changes no exit code', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'looks-'))
  const body = `
    const { rejectUnopened } = await import('./scripts/engine/reject-unopened.ts')
    const { fakeCluster } = await import('./test/support/fake-cluster.ts')
    const { cluster } = fakeCluster(['a'])
    cluster.operations = { ...cluster.operations, after: 'cat > told; touch begun; exec sleep 600' }
    const [root, common] = ['${scratch}', { output: 'json' }]
    const call = { command: 'try', cluster, layout: { root, folder: root, generated: '' }, again: '', common }
    return rejectUnopened(call, [{ reason: 'talosconfig-missing' }])`
  const running = watchProcess(process.execPath, argvOf(body, '--cluster', '7', '--output', 'json'), process.env)
  await eventually(
    () => existsSync(join(scratch, 'begun')) || undefined,
    () => 'it was never told',
  )
  running.kill('SIGINT')
  const { code, stdout } = await running.closed
  assert.is(code, 69)
  const { type, exitCode } = JSON.parse(stdout)
  assert.equal({ type, exitCode }, { type: 'run.finished', exitCode: 69 }, 'one line')
  rmSync(scratch, { recursive: true })
})

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test.run()
