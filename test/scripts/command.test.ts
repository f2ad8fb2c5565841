import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(import.meta.dirname, '..', '..')

/** A workflow whose body is that code. */
function runs(body: string, ...flags: string[]) {
  const code = `
    import { bareCommand } from './scripts/command.ts'
    await bareCommand({ name: 'try', summary: 'tries', flags: {}, run: async () => { ${body} } })`
  const argv = ['--import', 'tsx', '--input-type=module', '-e', code, '--', 'try.ts', ...flags]
  return spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' })
}

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
    const { type, exitCode, failures } = JSON.parse(stdout)
    assert.equal({ type, exitCode, reason: failures[0].reason }, { type: 'run.finished', exitCode: 1, reason: 'bug' })
    assert.match(failures[0].detail, 'the moon is full')
    const said = runs(body, '--cluster', '7')
    assert.is(said.status, 1)
    assert.match(said.stderr, /the moon is full/)
  })

test.run()
