import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cluster, Operations } from '../../../../workflows/model/cluster.ts'
import { failure } from '../../../../workflows/model/failure.ts'
import type { KubernetesFacts, KubernetesObservation } from '../../../../workflows/model/kubernetes.ts'
import type { NodeFacts } from '../../../../workflows/model/observation.ts'
import { planDrains } from '../../../../workflows/plan/drain/plan-drains.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { budget, kubeNode, kubePod, kubernetesFacts } from '../../../support/kubernetes-facts.ts'

const nodes = [kubeNode('a', '10.0.0.1'), kubeNode('b', '10.0.0.2')]

function plan(
  kubernetes: KubernetesObservation,
  {
    drain = {},
    skip = false,
    working = ['a'],
    machines = {},
  }: {
    drain?: Partial<Operations['drain']>
    skip?: boolean
    working?: string[]
    machines?: Parameters<typeof planDrains>[3]
  } = {},
) {
  const cluster: Cluster = {
    id: '7',
    name: 'cluster-7',
    talosVersion: 'v1.13.9',
    kubernetesVersion: 'v1.36.1',
    endpointHost: '10.0.0.1',
    nodes: ['a', 'b'].map((name, i) => ({ name, role: 'worker', address: `10.0.0.${i + 1}` })),
    operations: { ...defaultOperations, drain: { ...defaultOperations.drain, ...drain } },
  }
  return planDrains(
    cluster,
    kubernetes,
    cluster.nodes.filter(({ name }) => working.includes(name)),
    machines,
    { skip },
  )
}

const seen = (facts: Partial<KubernetesFacts> = {}, of = nodes) => kubernetesFacts(of, facts)
const pair = [kubePod('web-1', 'a'), kubePod('web-2', 'b')]
const silent: KubernetesObservation = {
  answers: false,
  failure: failure('kubernetes-unreachable', { detail: 'connection refused' }),
}
const drained = ({ byNode, failures }: ReturnType<typeof plan>) => [
  byNode.a?.drain.how ?? 'unknown',
  byNode.a && 'whyNot' in byNode.a.drain ? byNode.a.drain.whyNot : '',
  failures.map(({ reason }) => reason),
]

const may = (verb: string, resource: string, group: string) => ({ user: 'ci', verb, resource, group })

const rows: [behaviour: string, planned: ReturnType<typeof plan>, ...ReturnType<typeof drained>][] = [
  ['drains a node with somewhere to go', plan(seen({ pods: pair })), 'drained', '', []],
  ['drains an empty node, so that nothing comes to it', plan(seen()), 'drained', '', []],
  [
    'does not drain the only node',
    plan(seen({ pods: [kubePod('web-1', 'a')] }, [kubeNode('a', '10.0.0.1')])),
    'left alone',
    'no other node takes pods, so there is nowhere to drain to',
    [],
  ],
  [
    'does not drain where every other node is cordoned by somebody else',
    plan(seen({ pods: pair }, [kubeNode('a', '10.0.0.1'), kubeNode('b', '10.0.0.2', { unschedulable: true })])),
    'left alone',
    'no other node takes pods, so there is nowhere to drain to',
    [],
  ],
  [
    'counts on a cordon that a run left, since it is lifted first',
    plan(
      seen({ pods: pair }, [
        kubeNode('a', '10.0.0.1'),
        kubeNode('b', '10.0.0.2', { unschedulable: true, mark: { run: 'r', at: 't' } }),
      ]),
    ),
    'drained',
    '',
    [],
  ],
  [
    'cordons a node whose pods fit on no other one, and says that nothing is evicted',
    plan(
      seen({
        pods: [
          kubePod('web-1', 'a', {
            placement: { nodeSelector: { 'kubernetes.io/hostname': 'a' }, affinity: [], tolerations: [], apart: [] },
          }),
        ],
      }),
    ),
    'cordoned only',
    'its pods fit on no other node',
    [],
  ],
  [
    'refuses what would block',
    plan(seen({ pods: pair, budgets: [budget('web', 0)] })),
    'drained',
    '',
    ['drain-would-block'],
  ],
  [
    'tries what would block where the policy says so',
    plan(seen({ pods: pair, budgets: [budget('web', 0)] }), { drain: { whenBlocked: 'try' } }),
    'drained',
    '',
    [],
  ],
  [
    'refuses nothing on nodes that stay as they are',
    plan(seen({ pods: pair, budgets: [budget('web', 0)] }), { working: [] }),
    'unknown',
    '',
    [],
  ],
  [
    'does not drain where that is switched off, whatever blocks',
    plan(seen({ pods: pair, budgets: [budget('web', 0)] }), { drain: { enabled: false } }),
    'left alone',
    'drains are switched off',
    [],
  ],
  ['needs Kubernetes to answer', plan(silent), 'unknown', '', ['kubernetes-unreachable']],
  ['does without where the person says so', plan(silent, { skip: true }), 'unknown', '', []],
  [
    'needs a Node for each node',
    plan(seen({}, [kubeNode('x', '10.0.0.8')])),
    'unknown',
    '',
    ['kubernetes-node-unknown'],
  ],
  [
    'finds a Node by its address, since its name may be another one',
    plan(seen({}, [kubeNode('ip-10-0-0-1', '10.0.0.1'), kubeNode('b', '10.0.0.2')])),
    'drained',
    '',
    [],
  ],
  [
    'refuses where a gate does not hold before anything is changed, and where one makes no sense',
    plan(
      seen({
        gates: [
          { gate: 'storage', state: 'unmet', detail: 'condition not met' },
          { gate: 'typo', state: 'wrong', detail: 'no resource type' },
          { gate: 'fine', state: 'met', detail: '' },
        ],
      }),
    ),
    'drained',
    '',
    ['gate-unmet', 'gate-wrong'],
  ],
  [
    'tells a gate that may not be looked at from one that is wrong',
    plan(seen({ gates: [{ gate: 'storage', state: 'wrong', detail: 'may not', manifest: 'kind: Role' }] })),
    'drained',
    '',
    ['kubernetes-forbidden'],
  ],
  [
    'refuses before anything what the kubeconfig may not do',
    plan(seen({ denied: [may('create', 'pods/eviction', ''), may('update', 'leases', 'coordination.k8s.io')] })),
    'drained',
    '',
    ['kubernetes-forbidden'],
  ],
  [
    'needs no right to evict where nothing is drained',
    plan(seen({ denied: [may('create', 'pods/eviction', '')] }), { skip: true }),
    'left alone',
    'drains are switched off',
    [],
  ],
]

for (const [behaviour, planned, ...expected] of rows)
  test(`the plan ${behaviour}`, () => assert.equal(drained(planned), expected))

test('only where Kubernetes is silent the advice is to go without', () => {
  const hints = (['kubernetes-unreachable', 'kubeconfig-unusable', 'command-failed'] as const).map(
    (reason) => plan({ answers: false, failure: failure(reason) }).failures[0]?.hint,
  )
  assert.equal(hints, ['the same command again --skip-drain', undefined, undefined])
})

test('a refusal names the budget, and the command that shows it', () => {
  const [refused] = plan(seen({ pods: pair, budgets: [budget('web', 0)] })).failures
  assert.is(refused?.node, 'a')
  assert.match(refused?.detail ?? '', 'the PodDisruptionBudget shop/web allows no disruption of shop/web-1 now')
  assert.is(refused?.hint, 'kubectl -n shop get pdb web')
})

const boots = { bootId: 'now', nodename: 'a' } as NodeFacts
const dead = { ready: false, detail: 'Kubelet stopped posting node status', bootId: 'before' }

test('a dead Node with the address of a machine is not drained in its place, and is named', () => {
  const facts = seen({ pods: pair }, [
    kubeNode('a-old', '10.0.0.1', dead),
    kubeNode('a', '10.0.0.1', { bootId: 'now' }),
    kubeNode('b', '10.0.0.2'),
  ])
  const { byNode, notes, failures } = plan(facts, { machines: { a: { reachable: true, ...boots } } })
  assert.equal(
    [byNode.a?.name, byNode.a?.drain, failures],
    ['a', { how: 'drained', evicts: ['shop/web-1'], obstacles: [] }, []],
  )
  assert.match(notes.join(), 'a-old, which is not ready (Kubelet stopped posting node status)')
})

test('a machine that two Nodes could be is refused, with their names', () => {
  const facts = seen({ pods: pair }, [
    kubeNode('x', '10.0.0.1', { bootId: 'now' }),
    kubeNode('y', '10.0.0.1', { bootId: 'now' }),
  ])
  const [refused] = plan(facts, { machines: { a: { reachable: true, ...boots } } }).failures
  assert.is(refused?.reason, 'kubernetes-node-ambiguous')
  assert.match(refused?.detail ?? '', 'x and y')
})

test('cordons of runs that are over are lifted, also on nodes that nobody asked for', () => {
  const marked = [
    kubeNode('a', '10.0.0.1'),
    kubeNode('z', '10.0.0.9', { unschedulable: true, mark: { run: 'r', at: 't' } }),
  ]
  assert.equal(plan(seen({}, marked), { working: [] }).staleCordons, [{ node: 'z', run: 'r' }])
})

test.run()
