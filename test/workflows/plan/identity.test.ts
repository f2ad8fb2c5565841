import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cluster, Role } from '../../../workflows/model/cluster.ts'
import type { KubeNode } from '../../../workflows/model/kubernetes.ts'
import type { EtcdObservation, NodeFacts, NodeObservation } from '../../../workflows/model/observation.ts'
import {
  identityNotes,
  identityObjections,
  machineObjection,
  membersAmong,
  nodeObjection,
  ownNodes,
  registeredAnew,
} from '../../../workflows/plan/identity.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode } from '../../support/kubernetes-facts.ts'

const declared: [name: string, role: Role][] = [
  ['k8s-1', 'controlplane'],
  ['k8s-2', 'controlplane'],
  ['w-1', 'worker'],
]

const cluster: Cluster = {
  id: '7',
  name: 'cluster-7',
  talosVersion: 'v1.13.9',
  kubernetesVersion: 'v1.36.1',
  endpointHost: '10.0.0.1',
  nodes: declared.map(([name, role], i) => ({ name, role, address: `10.0.0.${i + 1}` })),
  operations: defaultOperations,
}

type Undeclared = EtcdObservation['undeclared']

function observed(facts: Record<string, Partial<NodeFacts> | 'silent'>, undeclared: Undeclared = []) {
  const nodes = Object.fromEntries(
    declared.map(([name, role]): [string, NodeObservation] => {
      const more = facts[name] ?? {}
      if (more === 'silent') return [name, { reachable: false, failure: { reason: 'node-unreachable' } }]
      return [
        name,
        {
          reachable: true,
          version: 'v1.13.5',
          stage: 'running',
          ready: true,
          unmet: [],
          bootId: `${name}-boot`,
          extensions: [],
          platform: 'metal',
          secureBoot: false,
          role,
          hostname: name,
          nodename: name,
          otherSlot: { state: 'quiet' },
          ...more,
        },
      ]
    }),
  )
  return { nodes, etcd: { members: [], undeclared, disagreements: [], alarms: [], unread: [] } }
}

const member = (hostname: string, address: string): Undeclared[number] => ({
  id: '1',
  hostname,
  learner: false,
  addresses: [address],
})

const rows: [behaviour: string, seen: ReturnType<typeof observed>, refused: string[], noted?: string[]][] = [
  ['each that is who it should be', observed({}), []],
  ['a host name with its domain, in other letters', observed({ 'w-1': { hostname: 'W-1.example.org' } }), []],
  ['one that tells no name', observed({ 'w-1': { hostname: undefined, nodename: undefined } as object }), []],
  ['one that is silent', observed({ 'w-1': 'silent' }), []],
  [
    'the name of another declared node',
    observed({ 'w-1': { hostname: 'k8s-2' } }),
    ['w-1: 10.0.0.3 answers as k8s-2, which is declared elsewhere'],
  ],
  [
    "another declared node's name in Kubernetes, where no host name was read",
    observed({ 'w-1': { hostname: undefined, nodename: 'k8s-2' } as object }),
    ['w-1: 10.0.0.3 answers as k8s-2, which is declared elsewhere'],
  ],
  [
    'two addresses that were mixed up',
    observed({ 'k8s-1': { hostname: 'k8s-2' }, 'k8s-2': { hostname: 'k8s-1' } }),
    [
      'k8s-1: 10.0.0.1 answers as k8s-2, which is declared elsewhere',
      'k8s-2: 10.0.0.2 answers as k8s-1, which is declared elsewhere',
    ],
  ],
  [
    'a name from DHCP',
    observed({ 'w-1': { hostname: 'talos-a1b' } }),
    [],
    ['w-1: the machine calls itself talos-a1b, which is declared nowhere'],
  ],
  [
    'a forgotten controlPlane: true',
    observed({ 'w-1': { role: 'controlplane' } }, [member('w-1', '10.0.0.3')]),
    ['w-1: is declared as a worker, and the machine is a control plane'],
  ],
  [
    'a worker that is declared as a control plane',
    observed({ 'k8s-2': { role: 'worker' } }),
    ['k8s-2: is declared as a control plane, and the machine is a worker'],
  ],
  [
    'a worker in the list of etcd, by its address',
    observed({}, [member('', '10.0.0.3')]),
    ['w-1: is declared as a worker, and etcd lists it as a member'],
  ],
  [
    'a silent worker in the list of etcd, by its name',
    observed({ 'w-1': 'silent' }, [member('w-1', '10.9.9.9')]),
    ['w-1: is declared as a worker, and etcd lists it as a member'],
  ],
  ['an etcd member that is declared nowhere', observed({}, [member('old', '10.9.9.9')]), []],
]

for (const [behaviour, seen, refused, noted = []] of rows)
  test(`${refused.length > 0 ? 'refuses' : noted.length > 0 ? 'names' : 'takes'} ${behaviour}`, () => {
    const failures = identityObjections(cluster, seen)
    assert.equal(
      failures.map(({ node, detail }) => `${node}: ${detail}`),
      refused,
    )
    assert.ok(failures.every(({ reason, hint }) => reason === 'other-node-than-declared' && hint !== undefined))
    assert.equal(identityNotes(cluster, seen.nodes), noted)
  })

test('a control plane that is declared as a worker is found in the list of etcd, without being asked', () => {
  const { etcd } = observed({}, [member('w-1', '10.0.0.3')])
  assert.equal(
    membersAmong(cluster.nodes, etcd, {}).map(({ name }) => name),
    ['w-1'],
  )
})

const planned = declared.map(([node]) => ({ node, before: { bootId: `${node}-boot` } }))
const containers = declared.map(([node]) => ({ node, before: { bootId: 'shared' } }))
const again = (more: Partial<NodeFacts> = {}) => observed({ 'k8s-1': { bootId: 'new', ...more } })

const machines: [
  behaviour: string,
  bootId: string,
  refused?: string | undefined,
  now?: ReturnType<typeof observed>,
  plans?: typeof planned,
][] = [
  ['its boot as planned', 'k8s-1-boot'],
  ['its boot as planned, whatever it is called', 'k8s-1-boot', undefined, again({ hostname: 'k8s-2' })],
  ['a boot that nobody knows', 'new'],
  ['a new boot of its own', 'new', undefined, again()],
  ['a new boot under a name that is declared nowhere', 'new', undefined, again({ hostname: 'talos-a1b' })],
  [
    'a new boot that it shares with the other containers',
    'new',
    undefined,
    observed({ 'k8s-1': { bootId: 'new' }, 'w-1': { bootId: 'new' } }),
    containers,
  ],
  ['the boot of another node, as planned', 'w-1-boot', 'its address answers as w-1 does, with the same boot id'],
  [
    'the boot of another node, as that answers now',
    'new',
    'its address answers as w-1 does, with the same boot id',
    observed({ 'k8s-1': { bootId: 'new' }, 'w-1': { bootId: 'new' } }),
  ],
  [
    'a new boot under the name of another node',
    'new',
    '10.0.0.1 answers as k8s-2, which is declared elsewhere',
    again({ hostname: 'k8s-2' }),
  ],
  [
    'a new boot in another role',
    'new',
    'is declared as a control plane, and the machine is a worker',
    again({ role: 'worker' }),
  ],
]

for (const [behaviour, bootId, refused, now, plans = planned] of machines)
  test(`${refused === undefined ? 'takes' : 'refuses'} a machine in ${behaviour}`, () => {
    const [plan = { node: '', before: { bootId: '' } }] = plans
    const found = machineObjection(plan, plans, bootId, now && { cluster, nodes: now.nodes })
    assert.equal([found?.reason, found?.detail], [refused && 'other-node-than-declared', refused])
  })

const own = (name: string, more: Partial<KubeNode> = {}) => kubeNode(name, '10.0.0.3', { bootId: 'now', ...more })
const dead = { ready: false, bootId: 'before' }
const machine = { bootId: 'now', nodename: 'w-1' }

const fits: [
  behaviour: string,
  nodes: KubeNode[],
  found: { node?: string; rivals?: string[]; stale?: string[] },
  seen?: Partial<NodeFacts>,
][] = [
  ['its boot', [kubeNode('k8s-1', '10.0.0.1', { bootId: 'x' }), own('w-1')], { node: 'w-1' }],
  [
    'its boot, whatever stands first at its address',
    [own('w-1-old', dead), own('w-1')],
    { node: 'w-1', stale: ['w-1-old'] },
  ],
  [
    'its boot, although a dead one has the declared name',
    [own('w-1', dead), own('w-1b')],
    { node: 'w-1b', stale: ['w-1'] },
    { nodename: 'w-1b' },
  ],
  ['its boot under any name and address', [kubeNode('ip-9', '10.9.9.9', { bootId: 'now' })], { node: 'ip-9' }],
  [
    'its name, where a kubelet has not told its boot yet',
    [own('w-1-old', dead), own('w-1', dead)],
    { node: 'w-1', stale: ['w-1-old'] },
  ],
  [
    'its boot and its name, where one was renamed while it ran',
    [own('w-1-old', { ready: false }), own('w-1')],
    { node: 'w-1', stale: ['w-1-old'] },
  ],
  [
    'its name, where several containers share one boot',
    [kubeNode('k8s-1', '10.0.0.1', { bootId: 'now' }), own('w-1')],
    { node: 'w-1' },
  ],
  ['none, where two of one boot have other names', [own('a'), own('b')], { rivals: ['a', 'b'] }],
  [
    'none, where one has its boot, another its name, and both are alive',
    [own('a'), own('w-1', { bootId: 'other' })],
    { rivals: ['a', 'w-1'] },
  ],
  ['none, where only a dead one has its address', [own('w-1-old', dead)], { stale: ['w-1-old'] }],
  [
    'its declared name, where Talos tells none',
    [own('w-1', { bootId: 'before' })],
    { node: 'w-1' },
    { nodename: undefined } as object,
  ],
  [
    'its address, of a Node that tells no boot',
    [kubeNode('ip-10-0-0-3', '10.0.0.3')],
    { node: 'ip-10-0-0-3' },
    { nodename: undefined } as object,
  ],
]

for (const [behaviour, nodes, expected, more = {}] of fits)
  test(`a machine's Node is found by ${behaviour}`, () => {
    const { node, rivals, stale } = ownNodes({ name: 'w-1', address: '10.0.0.3' }, { ...machine, ...more }, nodes)
    const names = (list: KubeNode[]) => list.map(({ name }) => name)
    const { node: name, rivals: several = [], stale: left = [] } = expected
    assert.equal([node?.name, names(rivals), names(stale)], [name, several, left])
  })

const since: [sentence: string, nodes: KubeNode[], now: string | undefined, refused: boolean][] = [
  ['has its Node under the planned name', [own('w-1')], undefined, false],
  ['has its Node there, which has not told of this boot', [own('w-1', { bootId: 'before' })], undefined, false],
  ['has left that Node behind, and runs under another name', [own('w-1', dead), own('w-2')], 'w-2', true],
  ['runs under another name, and the Node that was planned is gone', [own('w-2')], 'w-2', true],
  ['has a Node that is not ready, and no other', [own('w-1', dead)], undefined, false],
  ['has none', [], undefined, false],
]
for (const [sentence, nodes, now, refused] of since)
  test(`a machine ${sentence}${refused ? ': it is not cordoned' : ''}`, () => {
    const declared = { name: 'w-1', address: '10.0.0.3' }
    const booted = { bootId: 'now', ...(now === undefined ? { nodename: 'w-1' } : { nodename: now }) }
    assert.is(registeredAnew(declared, 'w-1', booted, nodes)?.name, now)
    const why = nodeObjection(declared, 'w-1', booted, nodes)
    assert.is(why?.reason, refused ? 'kubernetes-node-unknown' : undefined)
  })

test.run()
