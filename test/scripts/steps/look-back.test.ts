import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Talos } from '../../../scripts/cluster/talos.ts'
import type { World } from '../../../scripts/cluster/world.ts'
import { lookBack } from '../../../scripts/steps/look-back.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { NodeObservation } from '../../../workflows/model/observation.ts'
import type { Stood } from '../../../workflows/plan/judge.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { carriedOut, type Row } from '../../support/step-world.ts'

const NAMES = ['a', 'b', 'c']
const gone: NodeObservation = { reachable: false, failure: failure('node-unreachable', { detail: 'no answer' }) }

/** Looks back at three control planes, of which the looks say what `changed` makes of them; tells what was asked. */
async function seen(
  changed: (look: number, nodes: Record<string, NodeObservation>) => Record<string, NodeObservation>,
  more: Record<string, Partial<Stood>> = {},
  { silent = [] }: { silent?: readonly string[] } = {},
) {
  const fake = fakeCluster(NAMES)
  for (const node of fake.nodes.values()) Object.assign(node, { version: 'v1.13.9', boots: 1 })
  const talos: Talos = fake.connect(() => false)
  const asked: string[][] = []
  const { operations } = fake.cluster
  const world = {
    cluster: {
      ...fake.cluster,
      operations: { ...operations, deadlines: { ...operations.deadlines, etcdMs: 600 } },
    },
    talos: {
      ...talos,
      stages: async (nodes, options) => {
        const stages = await talos.stages(nodes, options)
        const missing = { ok: false, failure: failure('node-unreachable') } as const
        return { ...stages, ...Object.fromEntries(silent.map((node) => [node, missing])) }
      },
      observeNodes: async (nodes, options) => {
        asked.push(nodes.map(({ name }) => name))
        return changed(asked.length, await talos.observeNodes(nodes, options))
      },
    } satisfies Talos,
    knocks: async () => false,
  } as unknown as World
  const nodes = fake.plan.nodes.map(
    (plan): Stood => ({
      plan,
      install: 'done',
      flipped: true,
      verdict: 'upgraded',
      evidence: {},
      ...more[plan.node],
    }),
  )
  const found = await lookBack(world)(
    { nodes } as never,
    {
      begunBefore: false,
      signal: new AbortController().signal,
      processFile: '',
      waiting: () => {},
    } as never,
  )
  assert.ok(found.ok)
  return { asked, verdicts: found.value.map(({ verdict, failure: why }) => [verdict, why?.reason]) }
}

const well = ['upgraded', undefined]

test('asks for all nodes in one go, and once where all is as it was left', async () => {
  const { asked, verdicts } = await seen((_, nodes) => nodes)
  assert.equal([asked, verdicts], [[NAMES], [well, well, well]])
})

test('waits for a node that is seen again in a moment', async () => {
  const { asked, verdicts } = await seen((look, nodes) => (look === 1 ? { ...nodes, b: gone } : nodes))
  assert.equal([asked.length, verdicts], [2, [well, well, well]])
})

test('takes back the verdict of a node that went down after it was verified', async () => {
  const { verdicts } = await seen((_, nodes) => ({ ...nodes, b: gone }))
  assert.equal(verdicts, [well, ['unreachable', 'unwell-at-end'], well])
})

test('calls no node upgraded whose machine answers for another one, too', async () => {
  const { verdicts } = await seen((_, nodes) => ({ ...nodes, a: nodes.b ?? gone }))
  const taken = ['unreachable', 'unwell-at-end']
  assert.equal(verdicts, [taken, taken, well])
})

test('keeps the verdict of the machine that answers for a node which was refused for it', async () => {
  const why = failure('other-node-than-declared')
  const { verdicts } = await seen((_, nodes) => ({ ...nodes, a: nodes.b ?? gone }), {
    a: { flipped: false, verdict: 'refused', failure: why },
  })
  assert.equal(verdicts, [['unreachable', 'other-node-than-declared'], well, well])
})

test('asks again for a node that was silent a moment ago only when it answers a knock, or others for it', async () => {
  const failed = { c: { verdict: 'unreachable', failure: failure('never-returned') } } as const
  const silent = await seen((_, nodes) => nodes, failed, { silent: ['c'] })
  assert.equal([silent.asked, silent.verdicts], [[['a', 'b']], [well, well, ['unreachable', 'never-returned']]])
  const behind = await seen((_, nodes) => nodes, failed)
  assert.equal(behind.asked, [NAMES])
  assert.equal(behind.verdicts.at(-1), ['upgraded', 'never-returned'])
})

const ASKED = ['observeNodes a,b,c', 'observeEtcd a,b,c']
const stood = ({ plan: { nodes } }: ReturnType<typeof fakeCluster>) => ({
  nodes: nodes.map((plan): Stood => ({ plan, install: 'no', flipped: true, verdict: 'upgraded', evidence: {} })),
})
const upgraded: Row['when'] = ({ nodes }) => {
  for (const node of nodes.values()) Object.assign(node, { version: 'v1.13.9', boots: 1 })
}
const inWorld: Row[] = [
  {
    title: 'asks for all nodes and all members, once',
    when: upgraded,
    asks: ASKED,
    ends: 'upgraded upgraded upgraded',
  },
  {
    title: 'takes back the verdict of a control plane whose member does not vote',
    when(fake) {
      upgraded(fake)
      Object.assign(fake.nodes.get('b') ?? {}, { lost: true })
    },
    deadlineMs: 0,
    asks: ASKED,
    ends: 'upgraded stuck upgraded',
  },
  {
    title: 'waits no longer once it is told to end',
    answers: () => ({ talos: { observeNodes: async () => ({}) } }),
    abortedIn: 'observeEtcd',
    asks: ASKED,
    ends: 'cut off',
  },
]
for (const { title, asks, ends, ...given } of inWorld)
  test(title, async () => {
    const found = await carriedOut(NAMES, lookBack, stood as never, given)
    const verdicts = [...found.ends.matchAll(/"verdict":"([^"]+)"/g)].map(([, verdict]) => verdict)
    assert.equal({ asks: found.asks, ends: verdicts.join(' ') || found.ends }, { asks, ends })
  })

test.run()
