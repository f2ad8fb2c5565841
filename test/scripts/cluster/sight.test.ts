import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes, Told } from '../../../scripts/cluster/kubernetes.ts'
import { openSight } from '../../../scripts/cluster/sight.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { KubeNode, KubePod } from '../../../workflows/model/kubernetes.ts'
import { kubeNode, kubePod } from '../../support/kubernetes-facts.ts'

const options = { timeoutMs: 10_000 }
const a = (more: Partial<KubeNode> = {}) => kubeNode('a', '10.0.0.1', more)

/** Sight of a cluster whose nodes are read as `nodes`; `streams` are those of Nodes that were opened, `asked` is what was started. */
function sighted({ silent = false } = {}) {
  const now = { ms: 0, nodes: [a()], pods: [kubePod('web-1', 'a'), kubePod('web-2', 'b')] }
  const asked: string[] = []
  const streams: { tell: (told: Told<KubeNode>) => void; break: () => void; signal: AbortSignal; avoid?: string }[] = []
  const watch =
    <Item>(what: string, items: () => Item[]): ((tell: (told: Told<Item>) => void, how: never) => Promise<void>) =>
    (tell, how: { signal: AbortSignal; avoid?: string }) => {
      asked.push(`watch ${what}`)
      if (silent) return Promise.resolve()
      for (const item of items()) tell({ gone: false, item })
      return new Promise((resolve) => {
        how.signal.addEventListener('abort', () => resolve())
        if (what === 'nodes') streams.push({ tell: tell as never, break: resolve, ...how })
      })
    }
  const kubernetes = {
    nodes: async () => {
      asked.push('nodes')
      return { ok: true, value: now.nodes }
    },
    podsOn: async (name: string) => {
      asked.push(`pods on ${name}`)
      return { ok: true, value: now.pods.filter(on(name)) }
    },
    watchNodes: watch('nodes', () => now.nodes),
    watchPods: watch('pods', () => now.pods),
  } as unknown as Kubernetes
  const ends = new AbortController()
  const sight = openSight(kubernetes, ends.signal, () => now.ms)
  const names = async () => {
    const { value } = (await sight.nodes(options)) as { value: KubeNode[] }
    return value.map(({ name, ready }) => `${name}${ready ? '' : ' not ready'}`).join(' ')
  }
  return { now, asked, streams, sight, names, ends, kubernetes }
}

const on = (name: string) => (pod: KubePod) => pod.node === name

test('answers from one stream of each kind, as long as they tell', async () => {
  const { sight, names, asked, streams } = sighted()
  assert.is(await names(), 'a')
  streams[0]?.tell({ gone: false, item: a({ ready: false }) })
  streams[0]?.tell({ gone: false, item: kubeNode('b', '10.0.0.2') })
  assert.is(await names(), 'a not ready b')
  streams[0]?.tell({ gone: true, item: a() })
  assert.is(await names(), 'b')
  const pods = await sight.podsOn('b', options)
  assert.equal(pods.ok && pods.value.map(({ name }) => name), ['web-2'])
  assert.equal(asked, ['watch nodes', 'watch pods'])
})

test('holds a silent stream against a read, and opens another one where it was behind', async () => {
  const { now, names, asked, streams } = sighted()
  await names()
  now.ms = 15_000
  assert.is(await names(), 'a')
  assert.is(await names(), 'a')
  assert.equal(asked, ['watch nodes', 'nodes'], 'it says the same, and is believed once more')
  now.ms = 30_000
  now.nodes = [a({ ready: false })]
  assert.is(await names(), 'a not ready')
  assert.ok(streams[0]?.signal.aborted, 'the stream that was behind is over')
  assert.is(await names(), 'a not ready')
  assert.equal(asked.slice(2), ['nodes', 'watch nodes'])
})

test('reads for a while where every stream is cut as soon as it has told what is there', async () => {
  const { now, names, asked, streams } = sighted()
  for (const broken of [0, 1]) {
    await names()
    streams[broken]?.break()
    await new Promise(setImmediate)
  }
  await names()
  await names()
  assert.equal(asked, ['watch nodes', 'watch nodes', 'nodes', 'nodes'])
  now.ms = 15_000
  await names()
  assert.equal(asked.slice(4), ['watch nodes'])
})

test('opens a stream anew that broke, away from the node that goes down', async () => {
  const { names, sight, asked, streams } = sighted()
  await names()
  streams[0]?.break()
  await Promise.resolve()
  await sight.nodes({ ...options, avoid: '10.0.0.1' })
  assert.is(await names(), 'a')
  assert.equal(asked, ['watch nodes', 'watch nodes'])
  assert.is(streams[1]?.avoid, '10.0.0.1')
})

test('reads where no stream tells anything, and does not ask for one all the time', async () => {
  const { now, names, asked } = sighted({ silent: true })
  await names()
  await names()
  now.ms = 15_000
  await names()
  assert.equal(asked, ['watch nodes', 'nodes', 'nodes', 'watch nodes', 'nodes'])
})

test('says what a read says where the stream is silent', async () => {
  const { kubernetes, sight } = sighted({ silent: true })
  const silence = { ok: false as const, failure: failure('kubernetes-unreachable') }
  kubernetes.nodes = async () => silence
  assert.equal(await sight.nodes(options), silence)
})

test('ends its streams with the run, and opens none after it', async () => {
  const { names, asked, streams, ends } = sighted()
  await names()
  ends.abort()
  assert.ok(streams[0]?.signal.aborted)
  await Promise.resolve()
  await names()
  assert.equal(asked, ['watch nodes', 'nodes'])
})

test.run()
