import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createTalos } from '../../../scripts/cluster/talos.ts'
import { addressOf, fakeTalosctl, type Manner } from '../../support/fake-talosctl.ts'

const test = suite('reach')

const folder = mkdtempSync(join(tmpdir(), 'reach-'))
const talosconfig = join(folder, 'talosconfig')
writeFileSync(talosconfig, '')
test.after(() => rmSync(folder, { recursive: true }))

const CONTROL_PLANES = 3
const options = () => ({ timeoutMs: 900 })
const talosOf = (
  fake: ReturnType<typeof fakeTalosctl>,
  endpoints = fake.nodes.filter(({ role }) => role === 'controlplane').map(({ address }) => address),
) => createTalos(fake.run, { talosconfig, endpoints, nodes: fake.nodes, knock: fake.knock, resolve: async () => [] })

type Row = {
  title: string
  manner: (n: number) => Manner
  endpoints?: readonly string[]
  /** how many of the nodes are not reached */
  lost: number
}

/** 20 nodes that answer cost that many starts to look at, four of them about etcd. */
const BASE = 36
const LIMIT = BASE * 1.3

/** Looks that go on beside each other. */
const few = pLimit(5)

/** Enough for a silence to be narrowed down to its node in half of it. */
const whole = () => ({ timeoutMs: 1800 })

const rows: readonly Row[] = [
  { title: 'all answer', manner: () => 'answers', lost: 0 },
  { title: 'a worker is silent', manner: (n) => (n === 11 ? 'silent' : 'answers'), lost: 1 },
  { title: 'a worker is down', manner: (n) => (n === 11 ? 'down' : 'answers'), lost: 1 },
  {
    title: 'workers are behind the control planes',
    manner: (n) => (n > CONTROL_PLANES ? 'behind' : 'answers'),
    lost: 0,
  },
  {
    title: 'all but one endpoint are behind it',
    manner: (n) => (n === 1 ? 'answers' : 'behind'),
    endpoints: [addressOf(1)],
    lost: 0,
  },
  {
    title: 'all but the last of the endpoints are behind it',
    manner: (n) => (n === 3 ? 'answers' : 'behind'),
    lost: 0,
  },
  {
    title: 'workers are behind the control planes, and one of them is down',
    manner: (n) => (n === 11 ? 'down' : n > CONTROL_PLANES ? 'behind' : 'answers'),
    lost: 1,
  },
  { title: 'a control plane is silent', manner: (n) => (n === 1 ? 'silent' : 'answers'), lost: 1 },
  {
    title: 'workers are behind the control planes, and one of them is silent',
    manner: (n) => (n === 11 ? 'silent' : n > CONTROL_PLANES ? 'behind' : 'answers'),
    lost: 1,
  },
  {
    title: 'all but one endpoint are behind it, and one of them is silent',
    manner: (n) => (n === 11 ? 'silent' : n === 1 ? 'answers' : 'behind'),
    endpoints: [addressOf(1)],
    lost: 1,
  },
  {
    title: 'all but the last of the endpoints are behind it, and one of them is silent',
    manner: (n) => (n === 11 ? 'silent' : n === 3 ? 'answers' : 'behind'),
    lost: 1,
  },
  {
    title: 'all but one endpoint are behind it, and another control plane is silent',
    manner: (n) => (n === 2 ? 'silent' : n === 1 ? 'answers' : 'behind'),
    endpoints: [addressOf(1)],
    lost: 1,
  },
  { title: 'a worker greets and says nothing', manner: (n) => (n === 11 ? 'hangs' : 'answers'), lost: 1 },
  { title: 'the first endpoint greets and says nothing', manner: (n) => (n === 1 ? 'hangs' : 'answers'), lost: 1 },
]

const look = async (fake: ReturnType<typeof fakeTalosctl>, talos = talosOf(fake)) => {
  const before = fake.starts.length
  const [seen, etcd] = await Promise.all([
    talos.observeNodes(fake.nodes, whole()),
    talos.observeEtcd(fake.nodes.slice(0, CONTROL_PLANES), whole()),
  ])
  return { seen, etcd, starts: fake.starts.slice(before) }
}

for (const client of ['1.13', '1.14'] as const) {
  for (const { title, manner, endpoints, lost } of rows)
    test(`talosctl ${client}: ${title}: no more than 1.3 times the processes`, async () => {
      const fake = fakeTalosctl({ client, controlPlanes: CONTROL_PLANES, manner })
      const { seen, etcd, starts } = await look(fake, talosOf(fake, endpoints as string[] | undefined))
      const unreached = Object.values(seen).filter(({ reachable }) => !reachable)
      assert.is(unreached.length, lost, JSON.stringify(unreached))
      const isSilent = (n: number) => !['answers', 'behind'].includes(manner(n))
      assert.is(etcd.members.filter(({ answers }) => !answers).length, [1, 2, 3].filter(isSilent).length)
      if (title === 'all answer') assert.is(starts.length, BASE, starts.join('\n'))
      assert.ok(starts.length <= LIMIT, `${starts.length}:\n${starts.join('\n')}`)
    })

  for (const manner of ['hangs', 'silent'] as const)
    test(`talosctl ${client}: whichever node ${manner === 'hangs' ? 'greets and says nothing' : 'is silent'}: no more than 1.3 times the processes`, async () => {
      const positions = Array.from({ length: 20 }, (_, index) => index + 1)
      const startsAt = async (position: number) => {
        const fake = fakeTalosctl({
          client,
          manner: (n) => (n === position ? manner : manner === 'silent' && n > CONTROL_PLANES ? 'behind' : 'answers'),
        })
        const { seen, starts } = await look(fake)
        return Object.values(seen).filter(({ reachable }) => !reachable).length === 1
          ? starts.length
          : Number.POSITIVE_INFINITY
      }
      const counts = await Promise.all(positions.map((position) => few(() => startsAt(position))))
      // where the machine is busy, who answers is late, too, and is taken for silent: asked once more with nothing beside it
      for (const [index, position] of positions.entries())
        if ((counts[index] ?? 0) > LIMIT) counts[index] = await startsAt(position)
      assert.ok(
        counts.every((count) => count <= LIMIT),
        counts.join(', '),
      )
    })
}

test('who was silent in one look holds up nobody in the next', async () => {
  const fake = fakeTalosctl({ manner: (n) => (n === 11 ? 'hangs' : 'answers') })
  const talos = talosOf(fake)
  await look(fake, talos)
  const { seen, starts } = await look(fake, talos)
  assert.is(Object.values(seen).filter(({ reachable }) => !reachable).length, 1)
  assert.ok(starts.includes('version of 19 through 10.0.0.1'), starts.join('\n'))
  fake.manners.set(addressOf(11), 'answers')
  const back = await look(fake, talos)
  assert.ok(Object.values(back.seen).every(({ reachable }) => reachable))
})

test('of a control plane whose etcd does not run that is said at once, and etcd is not asked there', async () => {
  for (const client of ['1.13', '1.14'] as const) {
    const fake = fakeTalosctl({ size: 3, client })
    fake.withoutEtcd.add(addressOf(2))
    const beganAt = performance.now()
    const etcd = await talosOf(fake).observeEtcd(fake.nodes, { timeoutMs: 60_000 })
    assert.ok(performance.now() - beganAt < 20_000)
    assert.equal(
      etcd.members.map(({ answers, failure }) => (answers ? 'answers' : failure?.detail)),
      ['answers', 'etcd does not run', 'answers'],
    )
    assert.ok(etcd.members[1]?.id, 'the others know its member')
    assert.equal(fake.starts.filter((start) => start.startsWith('etcd status')).length, 1)
  }
})

test('what talosctl 1.14 prints of the others is not asked for again because of one that says nothing', async () => {
  const fake = fakeTalosctl({ client: '1.14', manner: (n) => (n === 11 ? 'hangs' : 'answers') })
  await talosOf(fake).observeNodes(fake.nodes, options())
  const versions = fake.starts.filter((start) => start.startsWith('version'))
  assert.equal(versions.slice(0, 2), ['version of 3 through 10.0.0.1', 'version of 17 through 10.0.0.1'])
  assert.ok(
    versions.slice(2).every((start) => start.startsWith('version of 1 ')),
    versions.join('\n'),
  )
})

test('a node that is there and gives no answer is slow, and what is silent is unreachable', async () => {
  const manner = (n: number): Manner => (n === 4 ? 'hangs' : n === 5 ? 'silent' : 'answers')
  const fake = fakeTalosctl({ size: 5, manner })
  const seen = await talosOf(fake).observeNodes(fake.nodes, options())
  const reasons = fake.nodes.map(({ name }) => {
    const node = seen[name]
    return node?.reachable ? 'reachable' : node?.failure.reason
  })
  assert.equal(reasons, ['reachable', 'reachable', 'reachable', 'node-slow', 'node-unreachable'])
})

test('a node that takes longer than the patience for a call about many is waited for', async () => {
  const fake = fakeTalosctl({ size: 5 })
  fake.slow.set(addressOf(4), 500)
  const seen = await talosOf(fake).observeNodes(fake.nodes, { timeoutMs: 1200 })
  assert.ok(Object.values(seen).every(({ reachable }) => reachable))
})

test('an etcd that runs and does not answer costs its own deadline, and the others are read', async () => {
  for (const client of ['1.13', '1.14'] as const) {
    const fake = fakeTalosctl({ size: 3, client })
    fake.deafTo.set(addressOf(2), 'etcd')
    const etcd = await talosOf(fake).observeEtcd(fake.nodes, options())
    assert.equal(
      etcd.members.map(({ answers, failure }) => (answers ? 'answers' : failure?.reason)),
      ['answers', 'etcd-member-unhealthy', 'answers'],
    )
    assert.ok(etcd.members[1]?.id, 'the others know its member')
  }
})

test('the stage of a node behind the control planes is followed through one of them', async () => {
  const fake = fakeTalosctl({ size: 4, manner: (n) => (n === 4 ? 'behind' : 'answers') })
  const [worker] = fake.nodes.slice(3)
  const stages: string[] = []
  if (worker) await talosOf(fake).watchStage(worker, ({ stage }) => stages.push(stage), options())
  assert.equal(stages, ['running'])
})

test.run()
