import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { World } from '../../../scripts/cluster/world.ts'
import { settle } from '../../../scripts/steps/settle.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { KubeNode, KubePod } from '../../../workflows/model/kubernetes.ts'
import type { Unwell } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode, kubePod } from '../../support/kubernetes-facts.ts'
import { stepContext } from '../../support/step-context.ts'
import { carriedOut, inputOf, type Row as WorldRow } from '../../support/step-world.ts'
import { kubernetesPlan, nodePlan } from '../../support/upgrade-plan.ts'

type Seen = { node?: Partial<KubeNode>; pods?: KubePod[]; gone?: boolean; others?: KubeNode[] }

type Settled = { ok: boolean; waited: string[]; told?: string[]; asBefore?: string[] }

/** What the last one that settled asked of Kubernetes. */
let asks = ''

const daemon = { controller: { kind: 'DaemonSet', name: 'agent' } }
const well: Seen = {}

/** Settles a worker which Kubernetes sees as `looks` say, one after the other; tells what was waited for. */
async function settled(looks: readonly Seen[], unwell?: Partial<Unwell>): Promise<Settled> {
  let look = -1
  const now = (): Seen => looks[Math.min(Math.max(look, 0), looks.length - 1)] ?? {}
  const own = () => (now().gone ? [] : [kubeNode('a', '10.0.0.1', now().node)])
  const asked: string[] = []
  const port = (how: string): Pick<Kubernetes, 'podsOn' | 'nodes'> => ({
    nodes: async () => {
      look += 1
      asked.push(`nodes${how}`)
      return { ok: true, value: [...own(), ...(now().others ?? [])] }
    },
    podsOn: async () => {
      asked.push(`pods${how}`)
      return { ok: true, value: now().pods ?? [] }
    },
  })
  const upgrade = { ...defaultOperations.upgrade, soakMs: 0 }
  const nodes = [{ name: 'a', address: '10.0.0.1', role: 'worker' }]
  const talos = { identity: async () => ({ ok: true, value: { bootId: 'now', nodename: 'a' } }) }
  const cluster = { nodes, operations: { ...defaultOperations, upgrade } }
  const world = { cluster, kubernetes: port(' read'), sight: port(''), talos } as unknown as World
  const waited: string[] = []
  const told: string[] = []
  const plan = nodePlan('a', 'worker', {
    kubernetes: kubernetesPlan({
      name: 'a',
      ...(unwell && { unwell: { pods: [], hanging: [], attachments: [], ...unwell } }),
    }),
  })
  const notice = (text: string) => told.push(text)
  const waiting = (_: string, last?: string) => waited.push(last ?? '')
  const ended = await settle(world)({ plan } as never, stepContext({ waiting, notice }))
  const { asBefore } = ended.ok ? ended.value : { asBefore: [] }
  asks = asked.join(' ')
  return { ok: ended.ok, waited, ...(told.length > 0 ? { told } : {}), ...(asBefore.length > 0 ? { asBefore } : {}) }
}

const rows: [waitsFor: string, first: Seen, says: string][] = [
  ['its Node', { gone: true }, 'not ready: there is no Node'],
  ['the Node to be ready', { node: { ready: false, detail: 'booting' } }, 'not ready: booting'],
  [
    'the cordon of Talos to go',
    { node: { unschedulable: true, cordonedByTalos: true } },
    'not ready: Talos has not lifted the cordon that it set for the upgrade',
  ],
  [
    'the version of its kubelet',
    { node: { kubeletVersion: 'v1.35.0' } },
    'not ready: its kubelet runs v1.35.0, not v1.36.1',
  ],
  ['pods of DaemonSets', { pods: [kubePod('agent-1', 'a', { ...daemon, ready: false })] }, 'not ready: shop/agent-1'],
]

for (const [waitsFor, first, says] of rows) {
  test(`waits for ${waitsFor}, and says so`, async () => {
    assert.equal(await settled([first, well]), { ok: true, waited: [says] })
  })
}

test('waits for its kubelet to tell of this boot, although its Node says that it is ready', async () => {
  assert.equal(await settled([{ node: { bootId: 'before' } }, { node: { bootId: 'now' } }]), {
    ok: true,
    waited: ['not ready: its kubelet has not registered since the boot'],
  })
})

test('follows a machine that has another name since its boot, and says so', async () => {
  const dead = { ready: false, detail: 'node is shutting down', bootId: 'before' }
  const renamed = (more: Partial<KubeNode>) => kubeNode('a-2', '10.0.0.1', { bootId: 'now', ...more })
  assert.equal(
    await settled([
      { node: dead },
      { node: dead, others: [renamed({ ready: false, detail: 'booting' })] },
      { node: dead, others: [renamed({})] },
    ]),
    {
      ok: true,
      waited: ['not ready: node is shutting down', 'not ready: booting'],
      told: ['a is a-2 in Kubernetes since this boot'],
    },
  )
})

test('does not wait for pods that may run anywhere, nor for the cordon of a person', async () => {
  const pods = [kubePod('web-1', 'a', { ready: false }), kubePod('agent-1', 'a', daemon)]
  assert.equal(await settled([{ pods, node: { unschedulable: true } }]), { ok: true, waited: [] })
})

test('does not wait for what was unwell before, and tells it', async () => {
  const pods = [kubePod('agent-2', 'a', { ...daemon, ready: false })]
  assert.equal(await settled([{ pods }], { pods: ['DaemonSet shop/agent'] }), {
    ok: true,
    waited: [],
    asBefore: ['DaemonSet shop/agent is not ready'],
  })
  assert.equal(await settled([{ node: { ready: false, detail: 'silent' } }], { node: 'silent' }), {
    ok: true,
    waited: [],
    asBefore: ['its Node is not ready (silent)'],
  })
})

test('asks for pods only when the Node itself is well, and for no more than Nodes where the machine has another name', async () => {
  const now = { bootId: 'now' }
  await settled([{ node: { ...now, ready: false } }, { node: { bootId: 'before' } }, { node: now }])
  assert.is(asks, 'nodes nodes nodes pods nodes read pods read')
})

const ASKED = ['told nodes', 'identity a', 'told podsOn a', 'nodes', 'podsOn a']
const settling: (WorldRow & { input?: ReturnType<typeof inputOf> })[] = [
  {
    title: 'believes no stream that it is ready, and waits on where a read says otherwise',
    answers: ({ kubernetes }) => {
      let reads = 0
      return {
        kubernetes: {
          async podsOn(name, options) {
            const pods = await kubernetes.podsOn(name, options)
            return pods.ok && ++reads === 2
              ? { ok: true, value: pods.value.map((pod) => ({ ...pod, ready: false })) }
              : pods
          },
        },
      }
    },
    asks: [...ASKED, 'told nodes', 'told podsOn a', 'nodes', 'podsOn a'],
    ends: 'done {"asBefore":[]}',
  },
  {
    title: 'believes no stream of Nodes either: one that is read as not ready is waited for',
    answers: ({ kubernetes }) => {
      let reads = 0
      return {
        kubernetes: {
          async nodes(options) {
            const nodes = await kubernetes.nodes(options)
            return nodes.ok && ++reads === 2
              ? { ok: true, value: nodes.value.map((node) => ({ ...node, ready: false })) }
              : nodes
          },
        },
      }
    },
    asks: [...ASKED.slice(0, 4), 'told nodes', 'told podsOn a', 'nodes', 'podsOn a'],
    ends: 'done {"asBefore":[]}',
  },
  {
    title: 'asks who the machine is where an earlier process had read its boot',
    input: inputOf({ before: { bootId: 'old' } }, { bootId: 'an earlier boot' }),
    context: { begunBefore: true },
    asks: ASKED,
    ends: 'done {"asBefore":[]}',
  },
  {
    title: 'asks nobody who the machine is where its boot was read before',
    input: inputOf({ before: { bootId: 'old' } }, { bootId: 'a-boot-0' }),
    asks: ASKED.filter((ask) => ask !== 'identity a'),
    ends: 'done {"asBefore":[]}',
  },
  { title: 'asks for the Node, who the machine is, and the pods', asks: ASKED, ends: 'done {"asBefore":[]}' },
  {
    title: 'says that Kubernetes can not be read',
    answers: () => ({
      kubernetes: {
        nodes: async () => ({ ok: false, failure: failure('kubernetes-unreachable', { detail: 'no answer' }) }),
      },
    }),
    deadlineMs: 0,
    asks: ['told nodes'],
    ends: 'kubernetes-not-ready: not ready: no answer',
  },
  {
    title: 'says what is not ready when the deadline passes',
    answers: ({ kubernetes }) => ({
      kubernetes: {
        async podsOn(name, options) {
          const pods = await kubernetes.podsOn(name, options)
          return pods.ok ? { ok: true, value: pods.value.map((pod) => ({ ...pod, ready: false })) } : pods
        },
      },
    }),
    deadlineMs: 0,
    asks: ASKED.slice(0, 3),
    ends: 'kubernetes-not-ready: not ready: default/kube-apiserver-a',
  },
  { title: 'waits no longer once it is told to end', abortedIn: 'podsOn', asks: ASKED.slice(0, 3), ends: 'cut off' },
]
for (const { title, asks, ends, input = inputOf(), ...given } of settling)
  test(title, async () => {
    const operations = { upgrade: { ...defaultOperations.upgrade, soakMs: 0 } }
    assert.equal(await carriedOut(['a', 'b'], settle, input, { operations, ...given }), { asks, ends })
  })

test('asks nothing about a node that Kubernetes does not know', async () => {
  const input: typeof inputOf = () => (fake) => {
    const { plan, ...begun } = inputOf()(fake)
    const { kubernetes: _, ...unknown } = plan
    return { ...begun, plan: unknown }
  }
  assert.equal(await carriedOut(['a', 'b'], settle, input(), {}), { asks: [], ends: 'done {"asBefore":[]}' })
})

test.run()
