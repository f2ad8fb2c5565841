import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Run } from '../../../../scripts/run.ts'
import { createAsk } from '../../../../scripts/tools/talosctl/ask.ts'
import { observeEtcd } from '../../../../scripts/tools/talosctl/observe-etcd.ts'
import { getOfEach } from '../../../../scripts/tools/talosctl/observe-nodes.ts'
import { createWays } from '../../../../scripts/tools/talosctl/ways.ts'
import { commandResult } from '../../../support/command-result.ts'

const test = suite('one node of several that fails, through talosctl 1.14')

const nodes = [1, 2, 3].map((n) => ({ name: `k8s-${n}`, address: `10.0.0.${n}`, role: 'controlplane' as const }))
const down = '10.0.0.3'
const refused = `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${down}:50000: connect: connection refused"`
const id = (n: string) => `000000000000000${n.at(-1)}`

/** Prints as talosctl 1.14.1 does: what it can tell, then whom it could not ask, and then it exits with 1. */
function talosctl(print: (argv: readonly string[], node: string) => string) {
  const calls: string[] = []
  const run: Run = async ({ argv }) => {
    const asked = (argv[argv.indexOf('-n') + 1] ?? '').split(',')
    const words = argv.slice(argv.indexOf('-n') + 2)
    calls.push(`${words.slice(0, 3).join(' ')} of ${asked.length}`)
    const alive = asked.filter((node) => node !== down)
    const failed = alive.length < asked.length
    // get asks everybody for their version first
    const nothing = failed && words[0] === 'get'
    return commandResult({
      exitCode: failed ? 1 : 0,
      stdout: nothing ? '' : print(words, '') + alive.map((node) => print(words, node)).join(''),
      stderr: !failed
        ? ''
        : nothing
          ? `${down}: error getting server version: ${refused}\n`
          : `error from node ${down}: ${refused}\n`,
    })
  }
  const endpoints = nodes.map(({ address }) => address)
  const ways = createWays({ endpoints, knock: async () => true, resolve: async () => [] })
  return { calls, ask: createAsk(run, { talosconfig: 't' }, ways) }
}
const options = () => ({ deadlineAt: performance.now() + 9000 })

const resource = (node: string, id: string, spec: string) =>
  node === '' ? '' : `{\n    "metadata": {"id": "${id}"},\n    "node": "${node}",\n    "spec": ${spec}\n}\n`

test("the others' views of etcd are read in one call about them", async () => {
  const { ask, calls } = talosctl(([, what], node) => {
    if (what === 'services') return resource(node, 'etcd', '{"running": true}')
    const peers = nodes.map(({ address }) => `http://${address}:2380`)
    if (what === 'members')
      return node === ''
        ? 'NODE       ID                 HOSTNAME   PEER URLS                CLIENT URLS              LEARNER\n'
        : peers
            .map((url, n) => `${node}   ${id(String(n + 1))}   k8s-${n + 1}      ${url}     ${url}     false\n`)
            .join('')
    if (what === 'status')
      return node === ''
        ? 'NODE   MEMBER   DB SIZE   IN USE   LEADER   RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS\n'
        : `${node}   ${id(node)}   61 kB   37 kB (60.00%)   ${id('1')}   124   2   124   false   3.6.14   3.6.0   \n`
    return ''
  })
  const etcd = await observeEtcd(ask, nodes, options())
  assert.equal(
    etcd.members.map(({ answers, failure }) => (answers ? 'answers' : failure?.reason)),
    ['answers', 'answers', 'node-unreachable'],
  )
  assert.equal([etcd.disagreements, etcd.alarms, etcd.undeclared], [[], [], []])
  const ofEtcd = calls.filter((call) => call.startsWith('etcd')).sort()
  assert.equal(ofEtcd, ['etcd alarm list of 2', 'etcd members of 2', 'etcd status of 2'])
  // whether it runs is asked of all, of those that are there, and of the one that failed through each endpoint
  assert.is(calls.length, 3 + 2 + nodes.length)
})

test('get, of which nothing comes then, is asked once more without the node that fails', async () => {
  const { ask, calls } = talosctl((_, node) => resource(node, 'machine-type', '"controlplane"'))
  const found = await getOfEach(ask, nodes, 'machinetype', 'one', options())
  assert.equal(
    nodes.map(({ address }) => found.get(address)?.resources[0]?.spec ?? found.get(address)?.failure?.reason),
    ['controlplane', 'controlplane', 'node-unreachable'],
  )
  assert.equal(calls.slice(0, 2), ['get machinetype -o of 3', 'get machinetype -o of 2'])
  assert.is(calls.length, 2 + nodes.length)
})

test.run()
