import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DrainPolicy } from '../../../../workflows/model/cluster.ts'
import type { KubernetesFacts } from '../../../../workflows/model/kubernetes.ts'
import { evictionSuspects, fitNowhere, forecastDrain } from '../../../../workflows/plan/drain/forecast.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { budget, kubeNode, kubePod, kubernetesFacts } from '../../../support/kubernetes-facts.ts'

const nodes = [kubeNode('a', '10.0.0.1'), kubeNode('b', '10.0.0.2'), kubeNode('c', '10.0.0.3')]
const policy = defaultOperations.drain
const pair = [kubePod('web-1', 'a'), kubePod('web-2', 'b')]

const forecast = (facts: Partial<KubernetesFacts>, more: Partial<DrainPolicy> = {}) => {
  const { evicts, obstacles } = forecastDrain(kubernetesFacts(nodes, facts), 'a', { ...policy, ...more })
  return [evicts, obstacles.map(({ kind, pod, blocks }) => `${blocks ? 'BLOCKS ' : ''}${kind} ${pod}`)]
}

type Row = [behaviour: string, seen: ReturnType<typeof forecast>, evicts: string[], obstacles: string[]]
const labels = (more: object) => ({ app: 'web', ...more })
const tainted = { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }
const onlyOn = (name: string) => ({
  placement: { nodeSelector: { 'kubernetes.io/hostname': name }, affinity: [], tolerations: [], apart: [] },
})
const unwell = kubePod('web-1', 'a', { ready: false, trouble: 'CrashLoopBackOff' })
const ending = (endsAt: string) => kubePod('web-1', 'a', { terminating: true, endsAt })
const apart = {
  placement: {
    nodeSelector: {},
    affinity: [],
    tolerations: [],
    apart: [
      {
        topologyKey: 'kubernetes.io/hostname',
        selector: { matchLabels: { app: 'web' } },
        namespaces: ['shop'],
      },
    ],
  },
}

const rows: Row[] = [
  ['evicts pods that have a controller', forecast({ pods: pair }), ['shop/web-1'], []],
  [
    'leaves static pods, those of DaemonSets, finished ones and those on other nodes',
    forecast({
      pods: [
        kubePod('kube-apiserver-a', 'a', { mirror: true }),
        kubePod('agent-1', 'a', { controller: { kind: 'DaemonSet', name: 'agent' } }),
        kubePod('job-1', 'a', { phase: 'Succeeded' }),
        kubePod('job-2', 'a', { phase: 'Failed' }),
        kubePod('web-2', 'b'),
      ],
    }),
    [],
    [],
  ],
  [
    'is blocked by a budget that allows nothing',
    forecast({ pods: pair, budgets: [budget('web', 0)] }),
    ['shop/web-1'],
    ['BLOCKS budget shop/web-1'],
  ],
  [
    'counts on a budget that its operator lifts',
    forecast({ pods: pair, budgets: [budget('web', 0)] }, { liftedBudgets: ['db/*', 'shop/w*'] }),
    ['shop/web-1'],
    ['budget shop/web-1'],
  ],
  [
    'takes no part of a name for the name of a budget that is lifted',
    forecast({ pods: pair, budgets: [budget('web', 0)] }, { liftedBudgets: ['shop/we', 'sho./web', 'hop/web'] }),
    ['shop/web-1'],
    ['BLOCKS budget shop/web-1'],
  ],
  [
    'is blocked by two budgets over one pod even if one is lifted',
    forecast(
      { pods: pair, budgets: [budget('web', 0), budget('all', 1, { selector: {} })] },
      { liftedBudgets: ['shop/web'] },
    ),
    ['shop/web-1'],
    ['BLOCKS two-budgets shop/web-1'],
  ],
  [
    'believes the API server more than the numbers of a budget',
    forecast({
      pods: pair,
      budgets: [budget('web', 0)],
      trials: { 'shop/web-1': { allowed: true, detail: '' } },
    }),
    ['shop/web-1'],
    [],
  ],
  [
    'does not mind a budget of another namespace, without a selector, or for other labels',
    forecast({
      pods: pair,
      budgets: [
        budget('web', 0, { namespace: 'other' }),
        budget('none', 0, { selector: undefined as never }),
        budget('api', 0),
      ].map(({ selector, ...rest }) => (selector ? { ...rest, selector } : rest)),
    }),
    ['shop/web-1'],
    [],
  ],
  [
    'takes an empty selector for every pod of the namespace',
    forecast({ pods: pair, budgets: [budget('all', 0, { selector: {} })] }),
    ['shop/web-1'],
    ['BLOCKS budget shop/web-1'],
  ],
  [
    'reads the expressions of a selector',
    forecast({
      pods: [kubePod('web-1', 'a', { labels: labels({ tier: 'db' }) }), kubePod('web-2', 'b')],
      budgets: [budget('db', 0, { selector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] } })],
    }),
    ['shop/web-1'],
    ['BLOCKS budget shop/web-1'],
  ],
  [
    'is blocked for ever by two budgets over one pod',
    forecast({ pods: pair, budgets: [budget('web', 1), budget('all', 1, { selector: {} })] }),
    ['shop/web-1'],
    ['BLOCKS two-budgets shop/web-1'],
  ],
  [
    'is not blocked by a budget that spares pods which are not ready',
    forecast({
      pods: [kubePod('web-1', 'a', { ready: false }), kubePod('web-2', 'b')],
      budgets: [budget('web', 0, { unhealthyPodEviction: 'AlwaysAllow' })],
    }),
    ['shop/web-1'],
    [],
  ],
  [
    'asks no budget where pods are deleted',
    forecast({ pods: pair, budgets: [budget('web', 0)] }, { disableEviction: true }),
    ['shop/web-1'],
    [],
  ],
  [
    'waits for a pod that ends already, whatever its budget says',
    forecast({
      pods: [kubePod('web-1', 'a', { terminating: true }), kubePod('web-2', 'b')],
      budgets: [budget('web', 0)],
    }),
    ['shop/web-1'],
    [],
  ],
  [
    'is kept by a bare pod from draining at all',
    forecast({
      pods: [{ ...kubePod('bare', 'a'), controller: undefined as never }].map(({ controller: _, ...p }) => p),
    }),
    ['shop/bare'],
    ['BLOCKS bare shop/bare'],
  ],
  [
    'loses a bare pod where it is told to',
    forecast(
      { pods: [{ ...kubePod('bare', 'a'), controller: undefined as never }].map(({ controller: _, ...p }) => p) },
      { force: true },
    ),
    ['shop/bare'],
    ['bare shop/bare'],
  ],
  [
    'tells of emptyDir, finalizers and single replicas',
    forecast({ pods: [kubePod('web-1', 'a', { emptyDirs: ['cache'], finalizers: ['x/y'] })] }),
    ['shop/web-1'],
    ['single-replica shop/web-1', 'local-data shop/web-1', 'finalizer shop/web-1'],
  ],
  [
    'tells of a pod that is tied to its node',
    forecast({ pods: [kubePod('web-1', 'a', onlyOn('a')), kubePod('web-2', 'b')] }),
    ['shop/web-1'],
    ['nowhere shop/web-1'],
  ],
  [
    'counts neither cordoned, nor unready, nor tainted nodes as a place to go to',
    forecastNodes([
      kubeNode('b', '10.0.0.2', { unschedulable: true }),
      kubeNode('c', '10.0.0.3', { ready: false }),
      kubeNode('d', '10.0.0.4', tainted),
    ]),
    ['shop/web-1'],
    ['nowhere shop/web-1'],
  ],
  [
    'knows that pods which must be apart find no place on nodes that have one',
    forecast({ pods: [kubePod('web-1', 'a', apart), kubePod('web-2', 'b', apart), kubePod('web-3', 'c', apart)] }),
    ['shop/web-1'],
    ['nowhere shop/web-1'],
  ],
  [
    'is blocked by the second of two pods where a budget lets one go and it finds no place',
    forecast({
      pods: [kubePod('web-1', 'a', onlyOn('a')), kubePod('web-2', 'a', onlyOn('a'))],
      budgets: [budget('web', 1)],
    }),
    ['shop/web-1', 'shop/web-2'],
    ['BLOCKS budget shop/web-2', 'nowhere shop/web-1', 'nowhere shop/web-2'],
  ],
  [
    'is blocked by a crash-looping pod that its budget counts, although it needs nobody',
    forecast({
      pods: [unwell],
      budgets: [budget('web', 0, { currentHealthy: 0, desiredHealthy: 0, expectedPods: 1 })],
    }),
    ['shop/web-1'],
    ['BLOCKS budget shop/web-1', 'single-replica shop/web-1'],
  ],
  [
    'is not blocked by an unwell pod of a healthy budget',
    forecast({ pods: [unwell, kubePod('web-2', 'b')], budgets: [budget('web', 0)] }),
    ['shop/web-1'],
    [],
  ],
  [
    'is blocked by a pod that may take longer to end than a drain may last',
    forecast({ pods: [kubePod('web-1', 'a', { graceMs: policy.timeoutMs + 1 }), kubePod('web-2', 'b')] }),
    ['shop/web-1'],
    ['BLOCKS grace shop/web-1'],
  ],
  [
    'waits for a grace that is as long as a drain may last',
    forecast({ pods: [kubePod('web-1', 'a', { graceMs: policy.timeoutMs }), kubePod('web-2', 'b')] }),
    ['shop/web-1'],
    [],
  ],
  [
    'takes the grace that every pod has for no word about how long it takes',
    forecast({ pods: [kubePod('web-1', 'a', { graceMs: 30_000 }), kubePod('web-2', 'b')] }, { timeoutMs: 8_000 }),
    ['shop/web-1'],
    [],
  ],
  [
    'does not mind how long a pod may take that is not evicted',
    forecast({ pods: [kubePod('web-1', 'a', { graceMs: policy.timeoutMs + 1, ...onlyOn('a') })] }),
    ['shop/web-1'],
    ['nowhere shop/web-1'],
  ],
  [
    'is blocked by a pod that should have ended long ago',
    forecast({ pods: [ending('2026-01-01T09:00:00Z'), kubePod('web-2', 'b')], now: '2026-01-01T10:00:00Z' }),
    ['shop/web-1'],
    ['BLOCKS hanging shop/web-1'],
  ],
  [
    'waits for a pod whose time to end is not over, or just was',
    forecast({
      pods: ['2026-01-01T10:00:20Z', '2026-01-01T09:55:30Z'].map(ending),
      now: '2026-01-01T10:00:00Z',
    }),
    ['shop/web-1', 'shop/web-1'],
    [],
  ],
  [
    'calls nothing late where nobody knows what time it is there',
    forecast({ pods: [ending('2026-01-01T09:00:00Z')] }),
    ['shop/web-1'],
    [],
  ],
  [
    'is blocked by the attachment of a volume that is gone, and by no other node',
    forecast({
      pods: pair,
      attachments: [
        { name: 'csi-1', node: 'a', volume: 'pv-1', attached: true, orphaned: true },
        { name: 'csi-2', node: 'b', volume: 'pv-2', attached: true, orphaned: true },
        { name: 'csi-3', node: 'a', volume: 'pv-3', attached: true },
      ],
    }),
    ['shop/web-1'],
    ['BLOCKS orphaned-attachment undefined'],
  ],
  [
    'leaves the pods that are to be skipped',
    forecast({ pods: [kubePod('web-1', 'a'), kubePod('im-1', 'a')], budgets: [budget('im', 0)] }, { skip: 'app=im' }),
    ['shop/web-1'],
    ['single-replica shop/web-1'],
  ],
]

function forecastNodes(others: ReturnType<typeof kubeNode>[]): ReturnType<typeof forecast> {
  const facts = kubernetesFacts([kubeNode('a', '10.0.0.1'), ...others], { pods: pair })
  const { evicts, obstacles } = forecastDrain(facts, 'a', policy)
  return [evicts, obstacles.map(({ kind, pod, blocks }) => `${blocks ? 'BLOCKS ' : ''}${kind} ${pod}`)]
}

for (const [behaviour, seen, evicts, obstacles] of rows)
  test(`a drain ${behaviour}`, () => assert.equal(seen, [evicts, obstacles]))

test('says of what is in the way all that helps, and what to type', () => {
  const said = (facts: Partial<KubernetesFacts>) => {
    const [first] = forecastDrain(kubernetesFacts(nodes, facts), 'a', policy).obstacles
    return [first?.detail, first?.hint]
  }
  const owned = { controller: { kind: 'ReplicaSet', name: 'web-5d8' }, labels: labels({ 'pod-template-hash': '5d8' }) }
  const none = budget('web', 0, { currentHealthy: 0, desiredHealthy: 1, expectedPods: 1 })
  assert.equal(said({ pods: [{ ...unwell, ...owned }], budgets: [none] }), [
    'the PodDisruptionBudget shop/web allows no disruption of shop/web-1 now (Deployment web: 0 of 1 healthy, 1 needed); the pod is unwell itself (CrashLoopBackOff), and unhealthyPodEvictionPolicy: AlwaysAllow would let it go',
    `kubectl -n shop patch pdb web --type=merge -p '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}'`,
  ])
  assert.equal(said({ pods: [kubePod('web-1', 'a', { graceMs: 3_600_000 })] }), [
    'shop/web-1 may take 1h to end (terminationGracePeriodSeconds), longer than drain.timeout (10m)',
    'the same command again # with more time: drain.timeout 61m in operations.yaml',
  ])
  assert.equal(said({ pods: [ending('2026-01-01T09:00:00Z')], now: '2026-01-02T11:30:00Z' }), [
    'shop/web-1 hangs in Terminating: it should have ended 1d2h ago',
    'kubectl -n shop describe pod web-1',
  ])
  assert.equal(said({ attachments: [{ name: 'csi-1', node: 'a', volume: 'pv-1', attached: true, orphaned: true }] }), [
    'the VolumeAttachment csi-1 is for the PersistentVolume pv-1, which is gone, and may never be detached',
    'kubectl describe volumeattachment csi-1',
  ])
})

test('asks the API server once about the pods that a budget forbids, and about no others', () => {
  const facts = kubernetesFacts(nodes, {
    pods: [
      ...[...pair, kubePod('web-3', 'c'), kubePod('web-4', 'a', { ready: false })],
      ...[kubePod('api-1', 'a'), kubePod('api-2', 'c'), kubePod('im-1', 'a')],
    ],
    budgets: [budget('web', 0, { currentHealthy: 1 }), budget('api', 1), budget('im', 0)],
  })
  const suspects = (on: string[]) =>
    evictionSuspects(facts, on, { ...policy, liftedBudgets: ['shop/im'] }).map((alike) =>
      alike.map(({ name }) => name).join(' '),
    )
  assert.equal(suspects(['a', 'b', 'c']), ['web-1 web-2 web-3', 'web-4'])
  assert.equal(suspects(['b']), ['web-2'], 'pods of other nodes are nobody that is to leave')
})

test('what fits nowhere goes down with its node, unless a budget has to be asked first', () => {
  const staying = (budgets: ReturnType<typeof budget>[]) =>
    fitNowhere(
      forecastDrain(kubernetesFacts(nodes, { pods: [kubePod('im-1', 'a', onlyOn('a'))], budgets }), 'a', {
        ...policy,
        liftedBudgets: ['shop/*'],
      }),
    )
  assert.ok(staying([]))
  assert.not.ok(staying([budget('im', 0)]))
  assert.not.ok(staying([budget('im', 1)]))
})

const somePod = fc.record({
  name: fc.constantFrom('web-1', 'web-2', 'api-1', 'db-1', 'im-1'),
  node: fc.constantFrom('a', 'b', 'c'),
  ready: fc.boolean(),
  terminating: fc.boolean(),
  mirror: fc.boolean(),
  phase: fc.constantFrom('Running', 'Pending', 'Succeeded'),
  kind: fc.constantFrom('ReplicaSet', 'DaemonSet', 'StatefulSet'),
})

const somePods = fc
  .uniqueArray(somePod, { selector: ({ name }) => name, maxLength: 5 })
  .map((pods) =>
    pods.map(({ name, node, kind, ...more }) =>
      kubePod(name, node, { ...more, controller: { kind, name: name.slice(0, -2) } }),
    ),
  )

test('never speaks of a pod that stays', () => {
  fc.assert(
    fc.property(somePods, fc.nat(1), (pods, allowed) => {
      const facts = kubernetesFacts(nodes, { pods, budgets: [budget('web', allowed)] })
      const { evicts, obstacles } = forecastDrain(facts, 'a', policy)
      for (const { pod } of obstacles) assert.ok(evicts.includes(pod ?? ''))
      for (const { mirror, controller, name, node } of pods)
        if (mirror || controller?.kind === 'DaemonSet' || node !== 'a') assert.not.ok(evicts.includes(`shop/${name}`))
    }),
  )
})

test('never finds more in the way when a budget allows more', () => {
  fc.assert(
    fc.property(somePods, fc.nat(3), (pods, allowed) => {
      const blocks = (count: number) =>
        forecastDrain(kubernetesFacts(nodes, { pods, budgets: [budget('web', count)] }), 'a', policy).obstacles.filter(
          (o) => o.blocks,
        ).length
      assert.ok(blocks(allowed + 1) <= blocks(allowed))
    }),
  )
})

test.run()
