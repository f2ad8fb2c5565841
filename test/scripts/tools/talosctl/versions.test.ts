import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readVersions } from '../../../../scripts/tools/talosctl/versions.ts'
import { commandResult } from '../../../support/command-result.ts'

const test = suite('versions')

/** As talosctl 1.13.9 and 1.14.1 print it, with the version of the client, which is none of a node. */
const printed = (client: string, nodes: Record<string, string>): string =>
  [
    `Client:\n\tTag:         ${client}\n\tSHA:         undefined\n\tBuilt:       \n\tGo version:  go1.26.8\n\tOS/Arch:     linux/amd64`,
    'Server:',
    ...Object.entries(nodes).map(
      ([node, tag]) =>
        `\tNODE:        ${node}\n\tTag:         ${tag}\n\tSHA:         00000000\n\tBuilt:       \n\tGo version:  go1.26.0\n\tOS/Arch:     linux/amd64\n\tEnabled:     RBAC`,
    ),
    '',
  ].join('\n')
const refused = (address: string) =>
  `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}:50000: connect: connection refused"`
const [one, two, three] = ['10.0.0.1', '10.0.0.2', 'fd00::3']

// what each client prints about two nodes that are down, next to one that is not
for (const [client, exitCode, stderr] of [
  [
    'v1.13.9',
    0,
    `WARNING: 2 errors occurred:\n\t* ${two}: ${refused(two)}\n\t* ${three}: ${refused(`[${three}]`)}\n\n\n`,
  ],
  [
    'v1.14.1',
    1,
    `error getting version from node ${two}: ${refused(two)}\nerror getting version from node ${three}: ${refused(`[${three}]`)}\n`,
  ],
] as const)
  test(`talosctl ${client}: tells who answers when some do not, whatever its exit code`, () => {
    const stdout = printed(client, { [one]: 'v1.13.5' })
    const versions = readVersions([one, two, three], commandResult({ exitCode, stdout, stderr }))
    assert.equal(versions.get(one), { ok: true, value: 'v1.13.5' })
    for (const down of [two, three]) {
      const version = versions.get(down)
      assert.ok(version && !version.ok && version.failure.reason === 'node-unreachable', down)
    }
  })

test('reads many nodes in the order in which they answer', () => {
  const stdout = printed('v1.14.1', { [three]: 'v1.13.5', [one]: 'v1.12.7', [two]: 'v1.14.1' })
  const versions = readVersions([one, two, three], commandResult({ stdout }))
  assert.equal(
    [one, two, three].map((node) => versions.get(node)),
    ['v1.12.7', 'v1.14.1', 'v1.13.5'].map((value) => ({ ok: true, value })),
  )
})

test('says nothing about nodes when the endpoint itself is down', () => {
  const stderr = `error getting version: ${refused('10.0.0.9')}\n`
  const stdout = printed('v1.13.9', {})
  assert.is(readVersions([one, two], commandResult({ exitCode: 1, stdout, stderr })).size, 0)
})

test('takes the failure of the call for that of the one node that was asked', () => {
  const version = readVersions(
    [one],
    commandResult({
      exitCode: 1,
      stderr: 'error getting version: rpc error: code = PermissionDenied desc = not authorized',
    }),
  ).get(one)
  assert.ok(version && !version.ok && version.failure.reason === 'permission-denied')
})

test('believes an answer under another name only when one node was asked', () => {
  const stdout = printed('v1.13.9', { 'k8s-1': 'v1.14.0' })
  assert.equal(readVersions([one], commandResult({ stdout })).get(one), { ok: true, value: 'v1.14.0' })
  const versions = readVersions([one, two], commandResult({ stdout }))
  assert.equal([versions.has(one), versions.has(two)], [false, false])
})

for (const tag of ['garbage', '', '1.13.5', 'v1.13', 'latest'])
  test(`"${tag}" is no version`, () => {
    const version = readVersions([one], commandResult({ stdout: printed('v1.14.1', { [one]: tag }) })).get(one)
    assert.ok(version && !version.ok && version.failure.reason === 'garbage-answer')
  })

test('an answer of another shape is garbage', () => {
  for (const stdout of ['Server:\n<html>\n', `Server:\n\tNODE:        ${one}\n`]) {
    const version = readVersions([one], commandResult({ stdout })).get(one)
    assert.ok(version && !version.ok && version.failure.reason === 'garbage-answer', stdout)
  }
})

test("does not take the client's own version for that of a node", () => {
  const version = readVersions([one], commandResult({ stdout: 'Client:\n\tTag:         v1.14.1\n' })).get(one)
  assert.ok(version && !version.ok)
})

test('a block that broke off tells nothing of its node, where the output did', () => {
  const [whole = ''] = printed('v1.14.1', { [one]: 'v1.13.9', [two]: 'v1.13.9' }).split(`${two}\n`)
  const versions = readVersions(
    [one, two, three],
    commandResult({ exitCode: 1, ended: { by: 'deadline' }, stdout: `${whole}${two}\n` }),
  )
  assert.equal([...versions], [[one, { ok: true, value: 'v1.13.9' }]])
})

test.run()
