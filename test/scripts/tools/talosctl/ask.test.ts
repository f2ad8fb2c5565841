import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command, CommandResult, Run } from '../../../../scripts/run.ts'
import { createAsk } from '../../../../scripts/tools/talosctl/ask.ts'
import { failureOf } from '../../../../scripts/tools/talosctl/failure-of.ts'
import { createWays } from '../../../../scripts/tools/talosctl/ways.ts'
import { talosctlCommands } from '../../../../scripts/tools/talosctl.ts'
import { commandResult } from '../../../support/command-result.ts'
import { eventually } from '../../../support/eventually.ts'

const test = suite('endpoints')

const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const ok = commandResult({ stdout: 'yes' })
const failing = (stderr: string) => commandResult({ exitCode: 1, stderr })
const refused = (address: string) =>
  `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}:50000: connect: connection refused"`
const broken = failing('rpc error: code = Unavailable desc = error reading from server: EOF')
const late = commandResult({ ended: { by: 'deadline' } })

/** Answers by endpoint, and remembers which were asked, with the time that each was given. Who is not `near` hears no knock. */
function fake(answers: Record<string, CommandResult | Promise<CommandResult>>, near: readonly string[] = [a, b, c]) {
  const asked: string[] = []
  const given: number[] = []
  const run: Run = async ({ argv, timeoutMs }: Command) => {
    const endpoint = argv[argv.indexOf('-e') + 1] ?? ''
    asked.push(endpoint)
    given.push(timeoutMs)
    return answers[endpoint] ?? ok
  }
  const ways = waysOf([a, b, c], near)
  return { asked, given, ways, ask: createAsk(run, { talosconfig: 't' }, ways) }
}
const waysOf = (endpoints: readonly string[], near: readonly string[], names: Record<string, string[]> = {}) =>
  createWays({
    endpoints,
    knock: async ({ address }) => near.includes(address),
    resolve: async (host) => names[host] ?? [],
  })
const soon = (ms = 9000) => ({ deadlineAt: performance.now() + ms })
const { bootId, reboot, version } = talosctlCommands
const takeAll = (asked: readonly string[], { stdout }: CommandResult) => (stdout === '' ? [] : asked)

test('a node is disrupted through others, and through itself only at last', async () => {
  const ways = waysOf([a, b, c], [a, b, c])
  assert.equal(await ways.toChange(b), [a, c, b])
  assert.equal((await ways.toAsk(b)).through, [b, a, c])
  assert.equal(await ways.toChange('10.0.0.9'), [a, b, c, '10.0.0.9'])
})

test('a knock sorts: who hears none is asked through endpoints that do', async () => {
  assert.equal((await waysOf([a, b, c], [b]).toAsk(c)).through, [b])
  assert.equal(await waysOf([a, b, c], [b]).forMany(), [b])
  assert.equal(await waysOf([a, b, c], [b]).toChange(b), [b])
  // a proxy that talosctl knows of hears none either
  assert.equal((await waysOf([a, b, c], []).toAsk(c)).through, [a, b, c])
  assert.equal(await waysOf([a, b, c], []).forMany(), [a, b, c])
})

test('a declared control plane that hears a knock is an endpoint, whatever the talosconfig says', async () => {
  const nodes = [{ name: 'k8s-2', address: b, role: 'controlplane' as const }]
  const near = new Set<string>([b])
  const knock = async ({ address }: { address: string }) => near.has(address)
  const ways = createWays({ endpoints: ['bastion'], nodes, knock, resolve: async () => [] })
  assert.equal(await ways.forMany(), [b])
  assert.equal((await ways.toAsk('10.0.0.9')).through, [b])
})

test('an endpoint by name is the node that goes down, and comes last when that one is changed', async () => {
  const names = { 'k8s-1.home': [a], 'all.home': [a, b] }
  const ways = waysOf(['k8s-1.home:50000', 'all.home', c], ['k8s-1.home', 'all.home', a, c], names)
  assert.equal(await ways.toChange(a), [c, a, 'k8s-1.home:50000', 'all.home'])
  assert.equal(await ways.toChange(c), ['k8s-1.home:50000', 'all.home', c])
})

test('a node that answered through an endpoint is known to be there, until it is silent', async () => {
  const answers: Record<string, CommandResult> = {}
  const { ask, ways, asked } = fake(answers, [a])
  assert.not(await ways.isSure(c))
  await ask.one(c, bootId, soon())
  assert.ok(await ways.isSure(c))
  Object.assign(answers, { [a]: failing(refused(c)), [c]: failing(refused(c)) })
  await ask.one(c, bootId, soon())
  assert.not(await ways.isSure(c))
  assert.equal(asked, [a, a])
})

test('a question goes on to the next endpoint when one is down, is silent, or can not reach the node', async () => {
  const { ask, asked } = fake({ [b]: failing(refused(b)), [a]: late })
  const answer = await ask.one(b, bootId, soon())
  assert.is(answer.endpoint, c)
  assert.equal(asked, [b, a, c])
})

test('another way is tried beside one that is silent, and whoever answers first counts', async () => {
  const slow = new Promise<CommandResult>((resolve) => setTimeout(resolve, 250, { ...ok, stdout: 'slow' }))
  const hangs = new Promise<CommandResult>(() => {})
  const { ask, asked, given } = fake({ [b]: slow, [a]: hangs, [c]: hangs })
  const answer = await ask.one(b, bootId, soon(450))
  assert.equal([answer.stdout, answer.endpoint], ['slow', b])
  assert.equal(asked, [b, a])
  assert.ok((given[0] ?? 0) > 400, 'nobody is given up for being slow')
})

test('the deadline of a node that hears a knock tells that it is slow', async () => {
  const answer = await fake({ [b]: late, [a]: failing(refused(b)), [c]: late }).ask.one(b, bootId, soon())
  assert.equal([answer.ended, answer.slow], [{ by: 'deadline' }, true])
  assert.is((await fake({ [b]: late, [a]: late }, [a]).ask.one(b, bootId, soon())).slow, undefined)
})

test('an answer is an answer, even a bad one', async () => {
  const { ask, asked } = fake({ [b]: failing('rpc error: code = NotFound desc = resource not found') })
  assert.equal((await ask.one(b, bootId, soon())).ended, { by: 'exit', code: 1 })
  assert.equal(asked, [b])
})

test('what a way to the node said outlives the silence of another way', async () => {
  const { ask } = fake({ [b]: failing(refused(b)), [a]: late, [c]: late })
  assert.match((await ask.one(b, bootId, soon())).stderr, 'refused')
})

test("a stranger at the node's own address is not looked for elsewhere", async () => {
  const { ask, asked } = fake({ [b]: failing('transport: authentication handshake failed: x509: unknown authority') })
  await ask.one(b, bootId, soon())
  assert.equal(asked, [b])
})

test('a stranger that waits in maintenance is told as such, alone and among others', async () => {
  const strange =
    'rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: x509: certificate signed by unknown authority"'
  const run: Run = async ({ argv }) => {
    const asked = (argv[argv.indexOf('-n') + 1] ?? '').split(',')
    const stdout = asked.filter((node) => node !== c).join()
    return asked.includes(c)
      ? { ...failing(`error getting version from node ${c}: ${strange}`), stdout }
      : { ...ok, stdout }
  }
  const ways = createWays({
    endpoints: [a, b],
    knock: async () => true,
    waitsInMaintenance: async ({ address }) => address === c,
    resolve: async () => [],
  })
  const ask = createAsk(run, { talosconfig: 't' }, ways)
  assert.is(failureOf(await ask.one(c, bootId, soon())).reason, 'node-in-maintenance')
  const words = await ask.each([a, b, c], version, (_, { stdout }) => stdout.split(','), soon())
  assert.equal(
    [...words].map(([node, answer]) => [node, failureOf(answer).reason]),
    [[c, 'node-in-maintenance']],
  )
})

const strangeTo = (node: string, hint = '') =>
  failing(
    `error getting version from node ${node}: rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority${hint}"`,
  )
const OF_ANOTHER_CLUSTER = String.raw` (possibly because of \"x509: Ed25519 verification failure\" while trying to verify candidate authority certificate \"talos\")`

const strangers: [sentence: string, endpoints: string[], hint: string, leads: boolean, reason: string][] = [
  ['waits in maintenance where its authority has no name', [a, b], '', true, 'node-in-maintenance'],
  ['waits in maintenance, with a single endpoint', [a], '', true, 'node-in-maintenance'],
  ['is of another cluster where its authority has the name of ours', [a], OF_ANOTHER_CLUSTER, true, 'wrong-ca'],
  ['may be the endpoint itself where nobody has answered through it', [a], '', false, 'wrong-ca'],
]
for (const [sentence, endpoints, hint, leads, reason] of strangers)
  test(`a stranger that only an endpoint can see ${sentence}`, async () => {
    const run: Run = async ({ argv }) => {
      const asked = (argv[argv.indexOf('-n') + 1] ?? '').split(',')
      const stdout = leads ? asked.filter((node) => node !== c).join() : ''
      return asked.includes(c) || !leads ? { ...strangeTo(c, hint), stdout } : { ...ok, stdout }
    }
    const ways = createWays({
      ...{ endpoints, waitsInMaintenance: async () => false, resolve: async () => [] },
      knock: async ({ address }) => endpoints.includes(address),
    })
    const ask = createAsk(run, { talosconfig: 't' }, ways)
    const words = await ask.each([a, b, c], version, (_, { stdout }) => stdout.split(','), soon())
    const word = words.get(c)
    assert.is(word && failureOf(word).reason, reason)
    assert.is(failureOf(await ask.one(c, bootId, soon())).reason, reason)
  })

test('who let a deadline pass is asked last, until it answers', async () => {
  const { ask, ways } = fake({ [a]: late })
  await ask.one(a, bootId, soon())
  assert.equal(await ways.toChange(b), [c, a, b])
  ways.worked(a, a)
  assert.equal(await ways.toChange(b), [a, c, b])
})

test('a call about many goes on when the endpoint is down, not when nodes are', async () => {
  const nodeDown = failing(`error getting version: 1 error occurred:\n\t* ${c}: ${refused(c)}\n`)
  const { ask, asked } = fake({
    [a]: failing(`error getting version: ${refused(a)}`),
    [b]: { ...nodeDown, stdout: 'yes' },
  })
  assert.is((await ask.each([a, b, c], version, takeAll, soon())).size, 0)
  assert.equal(asked, [a, b])
})

test('a call about many goes on when talosctl 1.14 blames each node for an endpoint that is down', async () => {
  const blaming = failing([a, b, c].map((node) => `error getting version from node ${node}: ${refused(a)}\n`).join(''))
  const { ask, asked } = fake({ [a]: blaming })
  assert.is((await ask.each([a, b, c], version, takeAll, soon())).size, 0)
  assert.equal(asked, [a, b])
})

test('a change is sent again only where it never arrived', async () => {
  for (const [answer, endpoints] of [
    [failing(refused(a)), [a, c]],
    [broken, [a]],
    // talosctl 1.14 reboots nobody whose version it does not know
    [failing(`${b}: error getting server version: ${broken.stderr}`), [a, c]],
    [late, [a]],
    [failing('rpc error: code = PermissionDenied desc = not authorized'), [a]],
  ] as const) {
    const { ask, asked } = fake({ [a]: answer })
    await ask.change(b, reboot, soon())
    assert.equal(asked, endpoints)
  }
})

test('no more than eight questions are under way, and changes do not wait for them', async () => {
  const waiting: (() => void)[] = []
  let running = 0
  const run: Run = async () => {
    running += 1
    await new Promise<void>((resolve) => waiting.push(resolve))
    running -= 1
    return ok
  }
  const ask = createAsk(run, { talosconfig: 't' }, waysOf([a], [a]))
  const questions = Array.from({ length: 20 }, () => ask.one(a, bootId, soon()))
  await new Promise(setImmediate)
  assert.is(running, 8)
  const change = ask.change(b, reboot, soon())
  await new Promise(setImmediate)
  assert.is(running, 9)
  const answered = Promise.all([...questions, change])
  while (waiting.length > 0) {
    for (const go of waiting.splice(0)) go()
    await new Promise(setImmediate)
  }
  assert.is((await answered).length, 21)
})

test('a question that is silent holds no place', async () => {
  const release: (() => void)[] = []
  const run: Run = async () => {
    await new Promise<void>((resolve) => release.push(resolve))
    return late
  }
  const ask = createAsk(run, { talosconfig: 't' }, waysOf([a], [a]))
  const questions = Array.from({ length: 20 }, () => ask.one(a, bootId, soon(100)))
  await eventually(
    () => release.length === 20 || undefined,
    () => `${release.length} of 20 are under way`,
  )
  for (const end of release) end()
  assert.is((await Promise.all(questions)).length, 20)
})

test('who was told to end before does not wait for what another question finds out', async () => {
  const { ask, asked } = fake(
    Object.fromEntries([a, b, c].map((endpoint) => [endpoint, new Promise<CommandResult>(() => {})])),
  )
  void ask.each([a, b], version, takeAll, soon(60_000))
  await eventually(
    () => asked.length > 0 || undefined,
    () => 'nobody was asked',
  )
  const words = await ask.each([a, b], version, takeAll, { ...soon(60_000), signal: AbortSignal.abort() })
  assert.equal(
    [...words.values()].map(({ ended }) => ended.by),
    ['abort', 'abort'],
  )
})

test.run()
