import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Ended } from '../../../../scripts/tools/ended.ts'
import { nodeErrors } from '../../../../scripts/tools/talosctl/node-errors.ts'
import { toldAll } from '../../../../scripts/tools/talosctl/told-all.ts'
import { commandResult } from '../../../support/command-result.ts'

const test = suite('what talosctl says of single nodes')

const why =
  'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.77:50000: connect: connection refused"'

// What talosctl 1.13.9 and 1.14.1 printed, with one node of several that was down.
for (const [call, stderr, text = why] of [
  ['1.13 version, etcd', `WARNING: 1 error occurred:\n\t* 127.0.0.77: ${why}\n\n\n`],
  ['1.13 version of nobody else', `error getting version: 1 error occurred:\n\t* 127.0.0.77: ${why}\n\n\n`],
  ['1.13 image pull', `error from node 127.0.0.77: ${why}\n`],
  ['1.14 version', `error getting version from node 127.0.0.77: ${why}\n`],
  ['1.14 etcd, logs, dmesg, image pull', `error from node 127.0.0.77: ${why}\n`],
  [
    '1.14 get, reboot',
    `WARNING: 127.0.0.13: server version 1.12.7 is older than client version 1.14.1, 127.0.0.11: server version 1.13.5 is older than client version 1.14.1\n127.0.0.77: error getting server version: ${why}\n`,
    `error getting server version: ${why}`,
  ],
  [
    '1.14 get of a node that answers nonsense',
    '127.0.0.77: error parsing server version: Invalid character(s) found in major number "0garbage"\n',
    'error parsing server version: Invalid character(s) found in major number "0garbage"',
  ],
  [
    '1.14 upgrade',
    `error checking Talos version compatibility: 127.0.0.77: error getting server version: ${why}\n`,
    `error getting server version: ${why}`,
  ],
  [
    '1.14 upgrade that fails',
    '127.0.0.77: Exit code: 1\nerror during upgrade: node 127.0.0.77: upgrade failed with exit code 1\n',
    'upgrade failed with exit code 1',
  ],
  ['1.14 get', `error listing resources on node 127.0.0.77: ${why}\n`],
  ['1.14 get of one resource', `error getting resource on node 127.0.0.77: ${why}\n`],
  ['1.14 reboot', `error executing reboot on node 127.0.0.77: ${why}\n`],
  ['1.14 image pull below 1.13', `error pulling image on node 127.0.0.77: ${why}\n`],
] as const)
  test(`${call}: of which node it is`, () => {
    assert.equal([...nodeErrors(stderr)], [['127.0.0.77', text]])
  })

test('knows nodes by IPv6 addresses, each on its line', () => {
  const stderr = `error from node fd00::3: ${why}\nerror from node 10.0.0.1: ${why}\n`
  assert.equal([...nodeErrors(stderr).keys()], ['fd00::3', '10.0.0.1'])
})

test('takes the trouble of a whole call for that of no node', () => {
  for (const stderr of [`error getting version: ${why}\n`, `ERROR: ${why}\n`, `${why}\n`, ''])
    assert.is(nodeErrors(stderr).size, 0, stderr)
})

const ended = (exitCode: number, stderr: string, ended?: Ended) =>
  commandResult({ exitCode, stderr, ...(ended && { ended }) })
const partial = `WARNING: anything\nerror from node 127.0.0.77: ${why}\n`

test('an answer is whole but for the nodes that it names, where it ended by itself', () => {
  assert.ok(toldAll(ended(0, '')))
  assert.ok(toldAll(ended(0, `WARNING: 1 error occurred:\n\t* 127.0.0.77: ${why}\n\n\n`)))
  assert.ok(toldAll(ended(1, partial)))
  for (const broken of [
    ended(1, ''),
    ended(1, `${partial}error flushing output: broken pipe\n`),
    ended(1, `ERROR: ${why}\n`),
    ended(1, partial, { by: 'deadline' }),
    ended(0, '', { by: 'abort' }),
    ended(1, partial, { by: 'signal', signal: 'SIGKILL' }),
  ])
    assert.not.ok(toldAll(broken), JSON.stringify(broken))
})

test.run()
