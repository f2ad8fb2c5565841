import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createKubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { World } from '../../../scripts/cluster/world.ts'
import { drain } from '../../../scripts/steps/drain.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { Unwell } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { type Drain, fakeKubectl, type KubeObject } from '../../support/fake-kubectl.ts'
import { stepContext } from '../../support/step-context.ts'
import { carriedOut, inputOf, type Row as WorldRow } from '../../support/step-world.ts'
import { kubernetesPlan, nodePlan } from '../../support/upgrade-plan.ts'

const node = (name: string, unschedulable: boolean): KubeObject =>
  ({
    kind: 'Node',
    metadata: { name },
    spec: { unschedulable },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }) as KubeObject

const pod = (name: string, more: object = {}, spec: object = {}): KubeObject =>
  ({
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web', controller: true }],
      ...more,
    },
    spec: { nodeName: 'a', ...spec },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }) as KubeObject

const attachment = (name: string, volume: string): KubeObject =>
  ({
    kind: 'VolumeAttachment',
    metadata: { name },
    spec: { nodeName: 'a', source: { persistentVolumeName: volume } },
  }) as KubeObject

const volume = (name: string, claim: string): KubeObject =>
  ({
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { claimRef: { namespace: 'shop', name: claim } },
  }) as KubeObject

const claimed = (claim: string) => ({ volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }] })

/** Everything of one kind, or of these names, goes. */
const without =
  (...gone: string[]): Drain =>
  (objects) => ({ objects: objects.filter(({ metadata }) => !gone.includes(metadata.name)) })

/** Drains the node `a` of these objects; tells how it ended, and what was started. */
async function drained(
  objects: KubeObject[],
  drains: Drain[],
  { timeoutMs = 600_000, unwell = {} as Partial<Unwell>, cordoned = true, bootId = 'a-before' } = {},
) {
  const { run, started } = fakeKubectl([node('a', cordoned), node('b', false), ...objects], drains)
  const kubernetes = createKubernetes(run, {
    kubeconfig: async () => ({ ok: true, value: '/k' }),
    servers: [],
    knocks: async () => true,
    cacheDir: '/c',
  })
  const nodes = [{ name: 'a', address: '10.0.0.1', role: 'worker' }]
  const policy = { ...defaultOperations.drain, timeoutMs, detachMs: 1_000 }
  const world = {
    cluster: { nodes, operations: { ...defaultOperations, drain: policy } },
    ...{ kubernetes, sight: kubernetes },
    plans: [nodePlan('a', 'worker'), nodePlan('b', 'worker')],
    talos: { identity: async () => ({ ok: true, value: { bootId } }) },
  } as unknown as World
  const plan = nodePlan('a', 'worker', {
    kubernetes: kubernetesPlan({ name: 'a', unwell: { pods: [], hanging: [], attachments: [], ...unwell } }),
  })
  const ended = await drain(world)({ plan } as never, stepContext())
  return { ended: ended.ok ? 'done' : `${ended.failure.reason}: ${ended.failure.detail}`, started }
}

test('reads the cluster once, drains, and asks for the pods of the node and for VolumeAttachments alone', async () => {
  const objects = [pod('web-1', {}, claimed('data-1')), volume('pv-1', 'data-1'), attachment('csi-1', 'pv-1')]
  assert.equal(await drained(objects, [without('web-1', 'csi-1')]), {
    ended: 'done',
    started: ['get everything', 'drain a', 'get pods', 'get volumeattachments'],
  })
})

test('starts kubectl as often for fifty pods as for one', async () => {
  const names = Array.from({ length: 50 }, (_, index) => `web-${index}`)
  const { started } = await drained(
    names.map((name) => pod(name)),
    [without(...names)],
  )
  assert.is(started.length, 3)
})

test('drains nothing where nothing is to leave', async () => {
  assert.equal(await drained([], []), { ended: 'done', started: ['get everything'] })
})

test('names the webhook that refused, although the time was over at last', async () => {
  const refuses: Drain = (objects) => ({
    objects,
    says: [
      'error: unable to drain node "a" due to error: error when evicting pods/"web-1" -n "shop": admission webhook "cleaner.example" denied the request: The pod is moved by its operator, continuing command...',
      'admission webhook "cleaner.example" denied the request: The pod is moved by its operator',
    ],
  })
  const late: Drain = (objects) => ({
    objects,
    says: [
      'error: unable to drain node "a" due to error: error when evicting pods/"web-1" -n "shop": global timeout reached: 1s, continuing command...',
      'error when evicting pods/"web-1" -n "shop": global timeout reached: 1s',
    ],
  })
  const { ended } = await drained([pod('web-1')], [refuses, late], { timeoutMs: 10 })
  assert.match(
    ended,
    /^drain-blocked: the webhook cleaner.example refuses the eviction \("The pod is moved by its operator"\)/,
  )
})

test('says once, and does not try again, that evictions are forbidden', async () => {
  const forbidden: Drain = (objects) => ({
    objects,
    says: [
      'error when evicting pods/"web-1" -n "shop": pods "web-1" is forbidden: User "ci" cannot create resource "pods/eviction" in API group "" in the namespace "shop"',
    ],
  })
  const { ended, started } = await drained([pod('web-1')], [forbidden])
  assert.match(ended, /^kubernetes-forbidden: the kubeconfig's user ci may not create pods\/eviction in shop$/)
  assert.equal(started, ['get everything', 'drain a'])
})

test('cordons and drains nothing where another machine answers for the node', async () => {
  assert.equal(await drained([pod('web-1')], [without('web-1')], { cordoned: false, bootId: 'b-before' }), {
    ended: 'other-node-than-declared: its address answers as b does, with the same boot id',
    started: ['get everything', 'get nodes'],
  })
})

const hangs = { deletionTimestamp: '2026-01-01T00:00:00Z' }

const asBefore: [what: string, objects: KubeObject[], unwell: Partial<Unwell>, ended: string][] = [
  ['a pod that hung before the run', [pod('web-1', hangs)], { hanging: ['shop/web-1'] }, 'done'],
  [
    'a pod that hung before, but for one that replaced it',
    [pod('web-1')],
    { hanging: ['shop/web-1'] },
    'drain-blocked: shop/web-1 is still there, and kubectl did not say why',
  ],
  ['an attachment whose volume was gone before', [attachment('csi-1', 'pv-gone')], { attachments: ['csi-1'] }, 'done'],
  ['no other attachment', [attachment('csi-2', 'pv-2')], {}, 'volumes-attached: still attached: pv-2'],
  [
    'no volume of a pod that stays',
    [
      pod('agent', { ownerReferences: [{ kind: 'DaemonSet', name: 'agent', controller: true }] }, claimed('data-1')),
      volume('pv-1', 'data-1'),
      attachment('csi-1', 'pv-1'),
    ],
    {},
    'done',
  ],
]

for (const [what, objects, unwell, ended] of asBefore)
  test(`waits not for what will not come: ${what}`, async () => {
    const seen = await drained(objects, [(left) => ({ objects: left })], { timeoutMs: 10, unwell })
    assert.is(seen.ended, ended)
  })

const HOW = ['read', 'told nodes', 'identity a', 'cordon a', 'read', 'drain a', 'podsOn a']
const silent = { ok: false as const, failure: failure('kubernetes-unreachable', { detail: 'no answer' }) }
const inWorld: WorldRow[] = [
  { title: 'cordons first, where the cordon is not there any more', asks: HOW, ends: 'done' },
  {
    title: 'drains nothing where the node is cordoned and empty',
    when({ kubernetes }) {
      kubernetes.refill('b')
      kubernetes.cordon('a')
    },
    asks: ['read'],
    ends: 'done',
  },
  {
    title: 'drains nothing where Kubernetes can not be read',
    answers: () => ({ kubernetes: { read: async () => silent, nodes: async () => silent } }),
    deadlineMs: 0,
    asks: ['read', 'told nodes', 'nodes'],
    ends: 'cordon-failed: no answer',
  },
  { title: 'goes no further once it is told to end', abortedIn: 'drain', asks: HOW.slice(0, 6), ends: 'cut off' },
]
for (const { title, asks, ends, ...given } of inWorld)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b'], drain, inputOf(), given), { asks, ends })
  })

test.run()
