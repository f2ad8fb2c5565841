import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Command, CommandResult, Run } from '../../../../scripts/run.ts'
import { createAsk } from '../../../../scripts/tools/talosctl/ask.ts'
import { talosctlCommands } from '../../../../scripts/tools/talosctl.ts'

const test = suite('endpoints')

const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
const ok: CommandResult = { exitCode: 0, stdout: 'yes', stderr: '', timedOut: false, aborted: false }
const failing = (stderr: string): CommandResult => ({ ...ok, exitCode: 1, stdout: '', stderr })
const refused = (address: string) =>
  `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp ${address}:50000: connect: connection refused"`
const broken = failing('rpc error: code = Unavailable desc = error reading from server: EOF')
const late: CommandResult = { ...ok, exitCode: 1, stdout: '', timedOut: true }

/** Answers by endpoint, and remembers which were asked, with the time that each was given. */
function fake(answers: Record<string, CommandResult>) {
  const asked: string[] = []
  const given: number[] = []
  const run: Run = async ({ argv, timeoutMs }: Command) => {
    const endpoint = argv[argv.indexOf('-e') + 1] ?? ''
    asked.push(endpoint)
    given.push(timeoutMs)
    return answers[endpoint] ?? ok
  }
  return { asked, given, ask: createAsk(run, { talosconfig: 't', endpoints: [a, b, c] }) }
}
const soon = () => ({ deadlineAt: performance.now() + 9000 })
const { bootId, reboot, version } = talosctlCommands

test('a node is disrupted through others, and through itself only at last', () => {
  assert.equal(fake({}).ask.endpoints(b).othersFirst, [a, c, b])
  assert.equal(fake({}).ask.endpoints(b).selfFirst, [b, a, c])
  assert.equal(fake({}).ask.endpoints('10.0.0.9').othersFirst, [a, b, c, '10.0.0.9'])
})

test('a question goes on to the next endpoint when one is down, is silent, or can not reach the node', async () => {
  const { ask, asked, given } = fake({ [b]: failing(refused(b)), [a]: late })
  const answer = await ask.one(b, bootId, [b, a, c], soon())
  assert.is(answer.endpoint, c)
  assert.equal(asked, [b, a, c])
  assert.ok(given[0] !== undefined && given[0] <= 3000, 'each has its share of the time')
})

test('an answer is an answer, even a bad one', async () => {
  const { ask, asked } = fake({ [b]: failing('rpc error: code = NotFound desc = resource not found') })
  assert.is((await ask.one(b, bootId, [b, a, c], soon())).exitCode, 1)
  assert.equal(asked, [b])
})

test('what a way to the node said outlives the silence of another way', async () => {
  const { ask } = fake({ [b]: failing(refused(b)), [a]: late, [c]: late })
  assert.match((await ask.one(b, bootId, [b, a, c], soon())).stderr, 'refused')
})

test("a stranger at the node's own address is not looked for elsewhere", async () => {
  const { ask, asked } = fake({ [b]: failing('transport: authentication handshake failed: x509: unknown authority') })
  await ask.one(b, bootId, [b, a, c], soon())
  assert.equal(asked, [b])
})

test('who let a deadline pass is asked last, until it answers', async () => {
  const answers: Record<string, CommandResult> = { [a]: late }
  const { ask } = fake(answers)
  await ask.one(a, bootId, [a], soon())
  assert.equal(ask.endpoints(b).othersFirst, [c, a, b])
  delete answers[a]
  await ask.one(a, bootId, [a], soon())
  assert.equal(ask.endpoints(b).othersFirst, [a, c, b])
})

test('a call about many goes on when the endpoint is down, not when nodes are', async () => {
  const nodeDown = failing(`error getting version: 1 error occurred:\n\t* ${c}: ${refused(c)}\n`)
  const { ask, asked } = fake({ [a]: failing(`error getting version: ${refused(a)}`), [b]: nodeDown })
  const answer = await ask.many([a, b, c], version, [a, b, c], soon())
  assert.is(answer.endpoint, b)
  assert.equal(asked, [a, b])
})

test('a call about many goes on when talosctl 1.14 blames each node for an endpoint that is down', async () => {
  const blaming = (dialled: (node: string) => string) =>
    failing([a, b, c].map((node) => `error getting version from node ${node}: ${refused(dialled(node))}\n`).join(''))
  const { ask, asked } = fake({ [a]: blaming(() => a), [b]: blaming((node) => node) })
  assert.is((await ask.many([a, b, c], version, [a, b, c], soon())).endpoint, b)
  assert.equal(asked, [a, b])
})

test('a call about many is given up after a third of the time', async () => {
  const { ask, asked, given } = fake({ [a]: late })
  await ask.many([a, b, c], version, [a, b, c], soon())
  assert.equal(asked, [a])
  assert.ok((given[0] ?? 0) <= 3000)
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
    await ask.change(b, reboot, [a, c, b], soon())
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
  const ask = createAsk(run, { talosconfig: 't', endpoints: [a] })
  const questions = Array.from({ length: 20 }, () => ask.one(a, bootId, [a], soon()))
  await new Promise(setImmediate)
  assert.is(running, 8)
  const change = ask.change(b, reboot, [a], soon())
  await new Promise(setImmediate)
  assert.is(running, 9)
  const answered = Promise.all([...questions, change])
  while (waiting.length > 0) {
    for (const go of waiting.splice(0)) go()
    await new Promise(setImmediate)
  }
  assert.is((await answered).length, 21)
})

test('a call about many nodes has all its time, however long it waited for its place', async () => {
  const given: number[] = []
  const release: (() => void)[] = []
  const run: Run = async ({ timeoutMs }) => {
    given.push(timeoutMs)
    if (given.length <= 8) await new Promise<void>((resolve) => release.push(resolve))
    return ok
  }
  const ask = createAsk(run, { talosconfig: 't', endpoints: [a] })
  const later = { deadlineAt: performance.now() + 60_000 }
  const busy = Array.from({ length: 8 }, () => ask.many([a, b], version, [a], later))
  const waits = ask.many([a, b], version, [a], later)
  const { now } = performance
  performance.now = () => now.call(performance) + 20_000
  try {
    for (const end of release) end()
    await Promise.all([...busy, waits])
    assert.is(Math.round(given[8] ?? 0), Math.round(given[0] ?? 0))
  } finally {
    performance.now = now
  }
})

test.run()
