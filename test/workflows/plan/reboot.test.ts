import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { summarize } from '../../../workflows/machines/summarize.ts'
import type { Cluster, Role } from '../../../workflows/model/cluster.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { EtcdMember, NodeFacts, NodeObservation, Observation } from '../../../workflows/model/observation.ts'
import type { Memory } from '../../../workflows/plan/memory.ts'
import { isEmpty, sequenceOf } from '../../../workflows/plan/plan.ts'
import { type RebootWish, reboot } from '../../../workflows/plan/reboot.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode, kubernetesFacts } from '../../support/kubernetes-facts.ts'

const roles: Readonly<Record<string, Role>> = {
  ...{ a: 'controlplane', b: 'controlplane', c: 'controlplane' },
  ...{ v: 'worker', w: 'worker' },
}
const image = 'factory.talos.dev/metal-installer/s:v1.13.9'
const nothing = { rolledBack: {}, written: {}, installs: {}, requests: {}, configurations: {}, refusedImages: {} }

type Wanted = {
  facts?: Readonly<Record<string, Partial<NodeFacts> | 'silent' | 'maintenance'>>
  etcd?: Readonly<Record<string, Partial<EtcdMember>>>
  wish?: Partial<RebootWish>
  nodes?: readonly string[]
  configurations?: Observation['configurations'] & object
  memory?: Partial<Memory>
  /** boot id of the installation that the Node of b is marked with */
  marked?: string
}

function plan({
  facts = {},
  etcd = {},
  wish,
  nodes = Object.keys(roles),
  configurations,
  memory,
  marked,
}: Wanted = {}) {
  const declared = nodes.map((name, i) => ({ name, role: roles[name] ?? 'worker', address: `10.0.0.${i + 2}` }))
  const cluster: Cluster = {
    ...{ id: '7', name: 'cluster-7', talosVersion: 'v1.13.9', kubernetesVersion: 'v1.36.1' },
    ...{ endpointHost: '10.0.0.1', nodes: declared, operations: defaultOperations },
  }
  const seen = (name: string, role: Role): NodeObservation => {
    const own = facts[name]
    if (own === 'silent') return { reachable: false, failure: failure('node-unreachable', { node: name }) }
    if (own === 'maintenance') return { reachable: false, failure: failure('node-in-maintenance', { node: name }) }
    return {
      ...{ reachable: true, version: 'v1.13.5', stage: 'running', ready: true, unmet: [], bootId: `${name}-boot` },
      ...{ schematic: 's', extensions: [], platform: 'metal', secureBoot: false, role, kubeletVersion: 'v1.36.1' },
      ...{ otherSlot: { state: 'quiet' as const }, ...own },
    }
  }
  const members = declared
    .filter(({ role }) => role === 'controlplane')
    .map(({ name: node }) => ({
      ...{ node, id: node, started: true, learner: false, leader: node === 'c', answers: true },
      ...{ appliedIndex: 9, raftIndex: 9, errors: [], ...etcd[node] },
    }))
  const mark = marked === undefined ? {} : { install: { bootId: marked, image, run: 'r' } }
  const observed: Observation = {
    at: '2026-01-01T00:00:00.000Z',
    nodes: Object.fromEntries(declared.map(({ name, role }) => [name, seen(name, role)])),
    etcd: { members, undeclared: [], disagreements: [], alarms: [], unread: [] },
    kubernetes: kubernetesFacts(declared.map(({ name, address }) => kubeNode(name, address, name === 'b' ? mark : {}))),
    ...(configurations ? { configurations } : {}),
  }
  const wished = {
    acceptPendingConfiguration: false,
    acceptEtcdOutage: false,
    keepGoing: false,
    skipDrain: false,
    ...wish,
  }
  return reboot.plan(cluster, observed, wished, { ...nothing, ...memory })
}

function planned(wanted?: Wanted) {
  const result = plan(wanted)
  if (!result.ok) throw new Error(JSON.stringify(result.failure))
  return result.value
}

test('restarts every node that runs, whatever it runs: a worker first, the etcd leader after the other control planes', () => {
  const made = planned({ facts: { a: { version: 'v1.12.9' }, b: { version: 'v1.14.1' } } })
  assert.not.ok(isEmpty(made))
  assert.equal(sequenceOf(made), ['v', 'a', 'b', 'c', 'w'])
  assert.equal(made.waves, [{ goal: 'turn', nodes: ['v', 'a', 'b', 'c', 'w'] }])
  assert.equal(made.chores, [{ step: 'snapshot-etcd', node: 'b', after: 'pull' }])
  assert.equal(
    made.nodes.map(({ work }) => work),
    Array(5).fill({ kind: 'restart', mode: 'default' }),
  )
})

test('goes to no other release, and pulls and installs nothing', () => {
  const { target, nodes } = summarize(planned())
  assert.is(target, undefined)
  const turn = ['reboot', 'rejoin', 'verify', 'settle', 'uncordon']
  assert.equal(Object.fromEntries(nodes.map(({ node, work, steps }) => [node, [work, ...steps]])), {
    ...Object.fromEntries(['v', 'w'].map((node) => [node, ['reboot', 'cordon', 'drain', ...turn]])),
    ...Object.fromEntries(
      ['a', 'b', 'c'].map((node) => [
        node,
        ['reboot', 'check-etcd', 'cordon', 'drain', 'check-etcd', 'hand-over-leadership', ...turn],
      ]),
    ),
  })
})

for (const mode of ['powercycle', 'force'] as const)
  test(`with --mode ${mode} every node restarts that way, by the same steps`, () => {
    const made = planned({ wish: { mode } })
    assert.equal(new Set(made.nodes.map(({ work }) => JSON.stringify(work))).size, 1)
    assert.equal(made.nodes[0]?.work, { kind: 'restart', mode })
    const steps = (of: typeof made) => summarize(of).nodes.map((node) => node.steps)
    assert.equal(steps(made), steps(planned()))
  })

test('leaves out a machine in maintenance where all are wished, and says so', () => {
  const made = planned({ facts: { w: 'maintenance' } })
  assert.equal(sequenceOf(made), ['v', 'a', 'b', 'c'])
  assert.match(made.notes.join('\n'), /^w is in maintenance .* it is left out$/m)
})

test('restarts the wished nodes only', () => {
  assert.equal(sequenceOf(planned({ wish: { nodes: ['b', 'w'] } })), ['w', 'b'])
})

test('boots into a staged configuration, or out of a trial, only where that is asked for, and names it', () => {
  const staged = (pending: 'other-on-disk' | 'perhaps-on-trial') => ({
    nodes: ['a', 'b', 'c'],
    configurations: { a: { ok: true as const, value: { hash: 'h', pending } } },
  })
  for (const pending of ['other-on-disk', 'perhaps-on-trial'] as const) {
    const refusal = plan(staged(pending))
    assert.equal(refusal.ok || refusal.failure.map(({ node, reason }) => [node, reason]), [
      ['a', 'configuration-pending'],
    ])
    const { nodes, notes } = planned({ ...staged(pending), wish: { acceptPendingConfiguration: true } })
    assert.equal(
      nodes.map(({ work }) => work),
      ['h', undefined, undefined].map((hash) => ({
        ...{ kind: 'restart', mode: 'default' },
        ...(hash && { pending: hash }),
      })),
    )
    assert.ok(notes.some((note) => note.startsWith('a boots another machine configuration than it runs')))
  }
})

test('sends a broken control plane first: that may be the cure', () => {
  assert.equal(sequenceOf(planned({ etcd: { b: { answers: false } } }))[0], 'b')
})

const slots: [sentence: string, slot: NodeFacts['otherSlot'], expected: RegExp][] = [
  ['a version that waits', { state: 'installed', image }, /^refused: b other-version-waiting workflows\/upgrade\.ts /],
  [
    'a version that waits and is not the declared one',
    { state: 'installed', image: image.replace('9', '8') },
    /^refused: b other-version-waiting talosctl -n b reboot /,
  ],
  ['an installation that runs', { state: 'installing', image }, /^refused: b install-unknown /],
  ['an installation that failed', { state: 'install-failed', image, exitCode: 1 }, /^planned: $/],
  ['an installation that was cut off', { state: 'cut-off', image }, /^planned: b: the installation of .* was cut off/],
  [
    'one that was cut off over a finished one',
    { state: 'cut-off', image, over: image },
    /^refused: b install-unknown /,
  ],
  ...(['unread', 'wrapped', 'wording'] as const).map((why): (typeof slots)[number] => [
    `a log that is ${why}`,
    { state: 'unknown', why },
    /^planned: b: the log of machined does not tell whether another version waits/,
  ]),
]
for (const [sentence, otherSlot, expected] of slots)
  test(`beside ${sentence}`, () => {
    const result = plan({ facts: { b: { otherSlot } } })
    const said = result.ok
      ? `planned: ${result.value.notes.join('; ')}`
      : `refused: ${result.failure.map(({ node, reason, hint }) => `${node} ${reason} ${hint}`).join('; ')}`
    assert.match(said, expected)
  })

test('names no upgrade to what runs already, where that was installed once more', () => {
  const result = plan({ facts: { b: { version: 'v1.13.9', otherSlot: { state: 'installed', image } } } })
  assert.match(result.ok ? '' : (result.failure[0]?.hint ?? ''), /^talosctl -n b reboot /)
})

const untold: [sentence: string, wanted: Wanted, expected: string[]][] = [
  ['our own journal', { memory: { installs: { b: ['b-boot'] } } }, ['b install-unknown']],
  ['the Node', { marked: 'b-boot' }, ['b install-unknown']],
  ['a journal, of an earlier boot', { memory: { installs: { b: ['b-boot-before'] } } }, []],
  ['the Node, of an earlier boot', { marked: 'b-boot-before' }, []],
]
for (const [who, wanted, expected] of untold)
  for (const why of ['unread', 'wrapped', 'wording'] as const)
    test(`beside a log that is ${why}, where ${who} tells of an installation`, () => {
      const result = plan({ ...wanted, facts: { b: { otherSlot: { state: 'unknown', why } } } })
      assert.equal(result.ok ? [] : result.failure.map(({ node, reason }) => `${node} ${reason}`), expected)
    })

const pending = { ok: true, value: { hash: 'h', pending: 'other-on-disk' } } as const
const denied = { ok: false, failure: failure('permission-denied') } as const
const refusals: [sentence: string, wanted: Wanted, expected: string[]][] = [
  ['a node that does not answer', { facts: { w: 'silent' } }, ['w node-unreachable']],
  [
    'a machine in maintenance that is named',
    { facts: { w: 'maintenance' }, wish: { nodes: ['w'] } },
    ['w node-in-maintenance'],
  ],
  ['an address that answers as another node', { facts: { w: { hostname: 'b' } } }, ['w other-node-than-declared']],
  [
    'a learner elsewhere',
    { etcd: { a: { learner: true } }, wish: { nodes: ['b'] } },
    ['a etcd-learner', 'b etcd-quorum'],
  ],
  ['the only control plane', { nodes: ['a', 'v', 'w'] }, ['a etcd-outage']],
  ['a configuration that is staged', { configurations: { b: pending } }, ['b configuration-pending']],
]
for (const [sentence, wanted, expected] of refusals)
  test(`refuses beside ${sentence}, whatever the mode`, () => {
    for (const mode of ['default', 'force'] as const) {
      const result = plan({ ...wanted, wish: { ...wanted.wish, mode } })
      const reasons = result.ok ? [] : result.failure.map((f) => [f.node, f.reason].filter(Boolean).join(' '))
      assert.equal(reasons, expected)
    }
  })

test('restarts the only control plane where its outage is accepted', () => {
  const made = planned({ nodes: ['a'], wish: { acceptEtcdOutage: true } })
  assert.equal([sequenceOf(made), made.policy.acceptEtcdOutage], [['a'], true])
})

test('says where nobody looked at the configuration', () => {
  const { notes } = planned({ configurations: { a: denied } })
  assert.match(notes.join('\n'), /^a: not checked whether a machine configuration is staged or on trial: .* os:admin$/m)
})

test.run()
