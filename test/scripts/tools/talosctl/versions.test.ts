import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CommandResult } from '../../../../scripts/run.ts'
import { readVersions } from '../../../../scripts/tools/talosctl/versions.ts'

const test = suite('versions')

const result = (more: Partial<CommandResult>): CommandResult => ({
  exitCode: 0,
  stdout: '',
  stderr: '',
  timedOut: false,
  aborted: false,
  ...more,
})
const answer = (hostname: string, tag: string) =>
  `{"metadata":{"hostname":"${hostname}"}, "version":{"tag":"${tag}", "sha":"00000000"},"platform":{"name":"metal"}}\n`
const refused = (address: string) =>
  `\t* ${address}: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}:50000: connect: connection refused"\n`

test('tells who answers when some do not, although talosctl exits with 0', () => {
  const versions = readVersions(
    ['10.0.0.1', '10.0.0.2', 'fd00::3'],
    result({
      stdout: answer('10.0.0.1', 'v1.13.5'),
      stderr: `WARNING: 2 errors occurred:\n${refused('10.0.0.2')}${refused('fd00::3')}\n\n`,
    }),
  )
  assert.equal(versions.get('10.0.0.1'), { ok: true, value: 'v1.13.5' })
  for (const down of ['10.0.0.2', 'fd00::3']) {
    const version = versions.get(down)
    assert.ok(version && !version.ok && version.failure.reason === 'node-unreachable', down)
  }
})

test('says nothing about nodes when the endpoint itself is down', () => {
  const stderr =
    'error getting version: rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.9:50000: connect: connection refused"\n'
  assert.is(readVersions(['10.0.0.1', '10.0.0.2'], result({ exitCode: 1, stderr })).size, 0)
})

test('takes the failure of the call for that of the one node that was asked', () => {
  const version = readVersions(
    ['10.0.0.1'],
    result({ exitCode: 1, stderr: 'error getting version: rpc error: code = PermissionDenied desc = not authorized' }),
  ).get('10.0.0.1')
  assert.ok(version && !version.ok && version.failure.reason === 'permission-denied')
})

test('believes an answer without a name only when one node was asked', () => {
  const nameless = '{"version":{"tag":"v1.14.0"}}\n'
  assert.equal(readVersions(['10.0.0.1'], result({ stdout: nameless })).get('10.0.0.1'), { ok: true, value: 'v1.14.0' })
  assert.is(readVersions(['10.0.0.1', '10.0.0.2'], result({ stdout: nameless })).size, 0)
})

for (const tag of ['garbage', '', '1.13.5', 'v1.13', 'latest'])
  test(`"${tag}" is no version`, () => {
    const version = readVersions(['10.0.0.1'], result({ stdout: answer('10.0.0.1', tag) })).get('10.0.0.1')
    assert.ok(version && !version.ok && version.failure.reason === 'garbage-answer')
  })

test('an answer that is no JSON is garbage', () => {
  const version = readVersions(['10.0.0.1'], result({ stdout: '<html>\n' })).get('10.0.0.1')
  assert.ok(version && !version.ok && version.failure.reason === 'garbage-answer')
})

test.run()
