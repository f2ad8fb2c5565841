import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cluster, NodeDeclaration } from '../../../workflows/model/cluster.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import type { KubernetesObservation } from '../../../workflows/model/kubernetes.ts'
import type {
  Configuration,
  EtcdMember,
  NodeFacts,
  NodeObservation,
  Observation,
  OtherSlot,
} from '../../../workflows/model/observation.ts'
import { VANILLA_SCHEMATIC } from '../../../workflows/plan/installer-image.ts'
import type { Memory } from '../../../workflows/plan/memory.ts'
import { type NodePlan, sequenceOf } from '../../../workflows/plan/plan.ts'
import { type UpgradeWish, upgrade } from '../../../workflows/plan/upgrade.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode, kubernetesFacts } from '../../support/kubernetes-facts.ts'

const SCHEMATIC = 'a'.repeat(64)
const image = (version = 'v1.13.9', schematic = SCHEMATIC) =>
  `factory.talos.dev/metal-installer/${schematic}:${version}`

/** What is done to a node, in a word. */
const workOf = (plan: NodePlan | undefined) => (plan?.work.kind === 'switch' ? plan.work.how : plan?.work.kind)
const imageOf = (plan: NodePlan | undefined) => (plan?.work.kind === 'switch' ? plan.work.image : undefined)
const waiting = { kind: 'switch', image: image(), schematic: SCHEMATIC, to: 'v1.13.9', how: 'reboot: it waits' }

type Wanted = {
  facts?: Record<string, Partial<NodeFacts> | 'silent' | 'maintenance'>
  /** control planes that no list of etcd names */
  absent?: readonly string[]
  etcd?: Record<string, Partial<EtcdMember>>
  declared?: Record<string, Partial<NodeDeclaration>>
  controlPlanes?: string[]
  workers?: string[]
  kubernetes?: KubernetesObservation
  wish?: Partial<UpgradeWish>
  memory?: Partial<Memory>
  configurations?: Observation['configurations'] & object
  kubernetesVersion?: string
}

const facts = (role: NodeFacts['role'], node: string, more: Partial<NodeFacts> = {}): NodeObservation => ({
  reachable: true,
  version: 'v1.13.5',
  stage: 'running',
  ready: true,
  unmet: [],
  bootId: `${node}-boot`,
  schematic: SCHEMATIC,
  extensions: ['iscsi-tools'],
  platform: 'metal',
  secureBoot: false,
  role,
  kubeletVersion: 'v1.36.1',
  otherSlot: { state: 'quiet' },
  ...more,
})

function plan(wanted: Wanted = {}) {
  const names = wanted.controlPlanes ?? ['a', 'b', 'c']
  const all = [
    ...names.map((n) => [n, 'controlplane'] as const),
    ...(wanted.workers ?? []).map((n) => [n, 'worker'] as const),
  ]
  const cluster: Cluster = {
    id: '7',
    name: 'cluster-7',
    talosVersion: 'v1.13.9',
    kubernetesVersion: wanted.kubernetesVersion ?? 'v1.36.1',
    endpointHost: '10.0.0.1',
    nodes: all.map(([name, role], i) => ({ name, role, address: `10.0.0.${i + 2}`, ...wanted.declared?.[name] })),
    operations: {
      ...defaultOperations,
      etcd: { acceptOutage: false, lagBound: 100, keepSnapshots: 3 },
      deadlines: { observeMs: 1, pullMs: 1, installMs: 1, rebootMs: 1, readyMs: 1, etcdMs: 1, snapshotMs: 1 },
    },
  }
  const observed: Observation = {
    at: '2026-01-01T00:00:00.000Z',
    nodes: Object.fromEntries(
      all.map(([name, role]) => {
        const seen = wanted.facts?.[name]
        return [
          name,
          seen === 'silent'
            ? { reachable: false, failure: failure('node-unreachable', { node: name }) }
            : seen === 'maintenance'
              ? { reachable: false, failure: failure('node-in-maintenance', { node: name }) }
              : facts(role, name, seen),
        ]
      }),
    ),
    etcd: {
      members: names
        .filter((node) => !wanted.absent?.includes(node))
        .map((node) => ({
          node,
          id: node,
          started: true,
          learner: false,
          leader: node === 'c',
          answers: true,
          appliedIndex: 9,
          raftIndex: 9,
          errors: [],
          ...wanted.etcd?.[node],
        })),
      undeclared: [],
      disagreements: [],
      alarms: [],
      unread: [],
    },
    ...(wanted.configurations ? { configurations: wanted.configurations } : {}),
    kubernetes: wanted.kubernetes ?? kubernetesFacts(all.map(([name], i) => kubeNode(name, `10.0.0.${i + 2}`))),
  }
  const wish: UpgradeWish = {
    to: 'v1.13.9',
    allowExtensionLoss: false,
    allowKernelArgumentLoss: false,
    acceptEtcdOutage: false,
    retry: false,
    keepGoing: false,
    skipDrain: false,
    ...wanted.wish,
  }
  return upgrade.plan(cluster, observed, wish, {
    rolledBack: {},
    written: {},
    installs: {},
    requests: {},
    configurations: {},
    refusedImages: {},
    ...wanted.memory,
  })
}

const planned = (wanted?: Wanted) => {
  const result = plan(wanted)
  assert.ok(result.ok, JSON.stringify(result))
  return (result as Extract<typeof result, { ok: true }>).value
}

const refused = (sentence: string, wanted: Wanted, expected: string[]) =>
  test(sentence, () => {
    const result = plan(wanted)
    assert.equal(result.ok ? [] : result.failure.map((f) => [f.node, f.reason].filter(Boolean).join(' ')), expected)
  })

test("asks etcd's rules of a real control plane, whatever it is declared as, and refuses it", () => {
  const result = plan({
    workers: ['w'],
    wish: { nodes: ['w'] },
    facts: { w: { role: 'controlplane' } },
    etcd: { a: { answers: false } },
  })
  assert.equal(result.ok ? [] : result.failure.map(({ node, reason }) => `${node} ${reason}`), [
    'w other-node-than-declared',
    'a etcd-member-unhealthy',
  ])
})

refused(
  'refuses an address that answers as another declared node',
  { workers: ['w'], facts: { w: { hostname: 'b' } } },
  ['w other-node-than-declared'],
)

test('names a machine whose name is declared nowhere', () => {
  assert.match(planned({ facts: { b: { hostname: 'talos-x' } } }).notes.join(), 'b: the machine calls itself talos-x')
})

test('sends the last control plane that does not lead first, and the leader last', () => {
  const sequence = sequenceOf(planned())
  assert.equal(sequence, ['b', 'a', 'c'])
})

test('sends a worker first, then control planes, then the other workers', () => {
  const sequence = sequenceOf(planned({ workers: ['v', 'w'] }))
  assert.equal(sequence, ['v', 'a', 'b', 'c', 'w'])
})

test('sends a broken control plane before everything', () => {
  const plan = planned({ workers: ['v'], etcd: { a: { answers: false } } })
  assert.equal(sequenceOf(plan), ['a', 'b', 'c', 'v'])
  assert.equal(plan.chores, [{ step: 'snapshot-etcd', node: 'b', after: 'pull' }])
})

test('keeps the schematic that runs, its platform and its secure boot in the image', () => {
  const { nodes } = planned({ facts: { a: { platform: 'hcloud', secureBoot: true } } })
  assert.is(imageOf(nodes[0]), `factory.talos.dev/hcloud-installer-secureboot/${SCHEMATIC}:v1.13.9`)
})

test('upgrades at the same version when another schematic is declared whose extensions lack nothing', () => {
  const b = 'b'.repeat(64)
  const declared = { a: { schematic: b, extensions: ['siderolabs/iscsi-tools', 'siderolabs/lldpd'] } }
  const { nodes, waves } = planned({
    declared,
    facts: { a: { version: 'v1.13.9' }, b: { version: 'v1.13.9' }, c: { version: 'v1.13.9' } },
  })
  assert.equal(sequenceOf({ waves }), ['a'])
  assert.is(imageOf(nodes[0]), image('v1.13.9', b))
})

test('leaves nodes alone that run the target', () => {
  const { nodes, waves } = planned({
    facts: { a: { version: 'v1.13.9' }, b: { version: 'v1.13.9' }, c: { version: 'v1.13.9' } },
  })
  assert.equal(waves, [])
  // a journal has to tell what they may fall back from
  assert.equal(
    nodes.map(({ work }) => work),
    Array(3).fill({ kind: 'leave', image: image() }),
  )
})

test('only reboots a node that has the target in its other slot', () => {
  const { nodes } = planned({ facts: { a: { otherSlot: { state: 'installed', image: image() } } } })
  assert.equal(nodes.map(workOf), ['reboot: it waits', 'write, then reboot', 'write, then reboot'])
})

test('uses the one call that does both below 1.13, and two calls from there on', () => {
  const { nodes } = planned({ facts: { a: { version: 'v1.12.9' } } })
  assert.equal(nodes.map(workOf), ['one call', 'write, then reboot', 'write, then reboot'])
})

test('installs the vanilla schematic where no schematic and no extension runs', () => {
  const bare = { extensions: [] as string[] }
  const result = planned({ facts: { a: { ...bare, schematic: undefined as never }, b: bare, c: bare } })
  assert.is(imageOf(result.nodes[0]), image('v1.13.9', VANILLA_SCHEMATIC))
  assert.match(result.notes.join(), /vanilla/)
})

test('looks at every control plane even when only one node may be changed', () => {
  const result = plan({ wish: { nodes: ['a'] }, etcd: { b: { answers: false } } })
  assert.equal(result.ok ? [] : result.failure.map((f) => f.reason), ['etcd-member-unhealthy', 'etcd-quorum'])
})

test('does not ask etcd when only workers are changed', () => {
  assert.equal(sequenceOf(planned({ workers: ['w'], wish: { nodes: ['w'] }, etcd: { b: { answers: false } } })), ['w'])
})

const slot = (otherSlot: OtherSlot) => ({ facts: { a: { otherSlot } } })
refused('refuses to install over another image that waits', slot({ state: 'installed', image: image('v1.13.8') }), [
  'a other-version-waiting',
])
refused('refuses after an installation that was cut off', slot({ state: 'cut-off', image: image() }), [
  'a install-unknown',
])
refused('refuses while an installation runs', slot({ state: 'installing', image: image() }), ['a install-unknown'])
refused(
  'refuses what our own earlier run began when the log no longer tells',
  { ...slot({ state: 'unknown', why: 'wrapped' }), memory: { installs: { a: ['older', 'a-boot'] } } },
  ['a install-unknown'],
)
refused(
  'refuses what another checkout began, as the Node tells, when the log no longer does',
  {
    ...slot({ state: 'unknown', why: 'wrapped' }),
    kubernetes: kubernetesFacts([
      kubeNode('a', '10.0.0.2', { install: { bootId: 'a-boot', image: image(), run: 'r' } }),
      kubeNode('b', '10.0.0.3', { install: { bootId: 'an older boot', image: image(), run: 'r' } }),
      kubeNode('c', '10.0.0.4'),
    ]),
  },
  ['a install-unknown'],
)
test('says which installations no Node will tell of', () => {
  const silent: KubernetesObservation = { answers: false, failure: failure('kubernetes-unreachable') }
  const { notes } = planned({ kubernetes: silent, wish: { skipDrain: true }, facts: { a: { version: 'v1.13.9' } } })
  assert.match(notes.join('\n'), /^b, c: .* in this folder only/m)
  assert.not.match(planned().notes.join(), /folder only/)
})
refused('refuses a node whose log can not be read', slot({ state: 'unknown', why: 'unread' }), ['a install-unknown'])
refused(
  'refuses a node whose release words it in a way that is not known',
  slot({ state: 'unknown', why: 'wording' }),
  ['a install-unknown'],
)

test('installs where the log no longer tells, and nobody of ours began anything since that boot', () => {
  const { nodes } = planned({
    ...slot({ state: 'unknown', why: 'wrapped' }),
    memory: { installs: { a: ['an older boot'] } },
  })
  assert.is(workOf(nodes[0]), 'write, then reboot')
})

test('installs again after an installer that failed', () => {
  assert.is(workOf(planned(slot({ state: 'install-failed', image: image() })).nodes[0]), 'write, then reboot')
})

const configured = (hash: string, pending: Configuration['pending'] = 'nothing'): Result<Configuration> => ({
  ok: true,
  value: { hash, pending },
})
const keeping = (cmdline: string): Result<Configuration> => ({
  ok: true,
  value: { hash: 'h', pending: 'nothing', kernelArguments: cmdline.split(' ') },
})
refused(
  'refuses nodes with a configuration that is staged, changed since they were installed, or not readable',
  {
    facts: {
      b: { otherSlot: { state: 'installed', image: image() } },
      d: { version: 'v1.13.9' },
    },
    workers: ['d', 'e'],
    configurations: {
      a: configured('h', 'other-on-disk'),
      b: configured('another'),
      c: { ok: false, failure: failure('node-unreachable') },
      // what is not to be changed may be configured as it likes
      d: configured('h', 'other-on-disk'),
      e: configured('h'),
    },
    memory: { configurations: { 'b-boot': 'h', 'e-boot': 'another' } },
  },
  ['a configuration-pending', 'b configuration-changed', 'c configuration-unread'],
)
/** A version that waits on `a`, which its Node tells to have been installed on this configuration. */
const noted = (configuration?: string, memory: Partial<Memory> = {}): Wanted => {
  const install = { bootId: 'a-boot', image: image(), run: 'r', ...(configuration && { configuration }) }
  return {
    facts: { a: { otherSlot: { state: 'installed', image: image() } } },
    configurations: { a: configured('h'), b: configured('h'), c: configured('h') },
    kubernetes: kubernetesFacts([
      kubeNode('a', '10.0.0.2', { install }),
      kubeNode('b', '10.0.0.3', { install: { ...install, bootId: 'an older boot', configuration: 'another' } }),
      kubeNode('c', '10.0.0.4'),
    ]),
    memory,
  }
}
const NOT_COMPARED = 'a: not checked whether the machine configuration was changed since the version that waits'
for (const [sentence, wanted] of [
  ['refuses what another checkout installed on another configuration, as its Node tells', noted('another')],
  [
    'refuses it where only one of Node and journals tells of another configuration',
    noted('another', { configurations: { 'a-boot': 'h' } }),
  ],
] as const)
  refused(sentence, wanted, ['a configuration-changed'])
test('goes on with what another checkout installed on the configuration that runs, and knows it until the reboot', () => {
  const { nodes, notes } = planned(noted('h'))
  assert.equal(nodes[0]?.work, { ...waiting, installedOn: 'h' })
  assert.not.match(notes.join(), NOT_COMPARED)
})
test('says where nobody knows on which configuration the version that waits was installed', () => {
  const { nodes, notes } = planned(noted())
  assert.equal(nodes[0]?.work, waiting)
  assert.match(notes.join('\n'), NOT_COMPARED)
  const silent = { ...noted(), kubernetes: { answers: false as const, failure: failure('kubernetes-unreachable') } }
  assert.match(planned({ ...silent, wish: { skipDrain: true } }).notes.join('\n'), NOT_COMPARED)
})
test('says which configurations its role did not let it look at, and which nobody judged', () => {
  const denied = { ok: false, failure: failure('permission-denied') } as const
  const { notes } = planned({ configurations: { a: denied, b: configured('h'), c: denied } })
  assert.match(notes.join('\n'), /^a, c: not checked whether Talos v1\.13\.9 takes .* os:admin$/m)
  assert.match(notes.join('\n'), /^b: not checked whether Talos v1\.13\.9 takes .* needs a talosctl 1\.13$/m)
})

const judged = (objection?: string): Result<Configuration> => ({
  ok: true,
  value: { hash: 'h', pending: 'nothing', judged: { for: 'v1.13.9', ...(objection && { objection }) } },
})
refused(
  'refuses nodes whose configuration the target does not take, whether it is to be installed or waits already',
  {
    facts: { b: { otherSlot: { state: 'installed', image: image() } }, d: { version: 'v1.13.9' } },
    workers: ['d'],
    configurations: { a: judged('its words'), b: judged('its words'), c: judged(), d: judged('its words') },
  },
  ['a configuration-not-accepted', 'b configuration-not-accepted'],
)
test('says nothing of configurations that the target takes', () => {
  const { notes } = planned({ configurations: { a: judged(), b: judged(), c: judged() } })
  assert.not.match(notes.join('\n'), /not checked/)
})

refused('refuses a node that fell back from this very image', { memory: { rolledBack: { b: image() } } }, [
  'b rolled-back-before',
])
refused(
  'refuses a node that was installed with this very image and boots its old version since',
  { memory: { written: { b: { image: image(), bootId: 'a boot before', from: 'v1.13.5' } } } },
  ['b rolled-back-before'],
)
test('goes on with a node that was installed with another image, that somebody took to a third version, or that was asked to be tried again', () => {
  const before = { image: image(), bootId: 'a boot before', from: 'v1.13.5' }
  assert.ok(planned({ memory: { written: { b: { ...before, image: `${image()}1` } } } }))
  assert.ok(planned({ memory: { written: { b: { ...before, from: 'v1.13.4' } } } }))
  assert.ok(planned({ memory: { written: { b: before } }, wish: { retry: true } }))
})
refused(
  'refuses a node whose installer did not take this very image, as it said or as we remember',
  {
    ...slot({ state: 'install-failed', image: image(), exitCode: 2 }),
    memory: { refusedImages: { b: { image: image(), why: 'invalid input' }, c: { image: image('v1.13.8'), why: '' } } },
  },
  ['a installer-refused-before', 'b installer-refused-before'],
)
test('tries it again with --retry, or when the target changed', () => {
  planned({
    ...slot({ state: 'install-failed', image: image(), exitCode: 3 }),
    memory: { refusedImages: { b: { image: image(), why: '' } } },
    wish: { retry: true },
  })
  planned(slot({ state: 'install-failed', image: image('v1.13.8'), exitCode: 3 }))
  planned({ memory: { rolledBack: { b: image() } }, wish: { retry: true } })
  planned({ memory: { rolledBack: { b: image('v1.13.8') } } })
})

refused('refuses a downgrade', { facts: { a: { version: 'v1.13.10' } } }, ['a downgrade'])
refused(
  'refuses two minors at once, for each node',
  { facts: { a: { version: 'v1.11.0' }, b: { version: 'v1.11.0' } } },
  ['a hop-too-long', 'b hop-too-long'],
)
refused('refuses a kubelet that the target does not support', { facts: { a: { kubeletVersion: 'v1.30.0' } } }, [
  'a kubernetes-out-of-range',
])
refused('refuses a declared Kubernetes that the target does not support', { kubernetesVersion: 'v1.37.0' }, [
  'kubernetes-out-of-range',
])
refused(
  'refuses to lose an extension by an image without a schematic',
  { facts: { a: { schematic: undefined as never } } },
  ['a extension-loss'],
)
refused(
  'refuses to lose an extension by an image that waits already',
  {
    declared: { a: { schematic: 'b'.repeat(64), extensions: ['siderolabs/lldpd'] } },
    facts: { a: { otherSlot: { state: 'installed', image: image('v1.13.9', 'b'.repeat(64)) } } },
  },
  ['a extension-loss'],
)
refused(
  'refuses to lose an extension by a declared schematic',
  { declared: { a: { schematic: 'b'.repeat(64), extensions: ['siderolabs/lldpd'] } } },
  ['a extension-loss'],
)
test('loses an extension only when told to', () => {
  planned({ facts: { a: { schematic: undefined as never } }, wish: { allowExtensionLoss: true } })
})
const withArgument = { kernelCmdline: 'talos.platform=metal pti=on usb-storage.quirks=04e8:61f5:u' }
refused('refuses to lose a kernel argument', { facts: { a: withArgument } }, ['a kernel-argument-loss'])
const below113 = { ...withArgument, version: 'v1.12.6' }
refused(
  'refuses to lose a kernel argument below 1.13 that is not in the configuration',
  { facts: { a: below113, b: below113 }, configurations: { a: configured('h'), b: keeping(below113.kernelCmdline) } },
  ['a kernel-argument-loss'],
)
test('says below 1.13 which kernel arguments nobody knows of', () => {
  const { notes } = planned({ facts: { a: below113 } })
  assert.match(notes.join('\n'), /^a runs with usb-storage\.quirks=\S+, which the upgrade keeps only where/m)
})
test('loses a kernel argument only when told to', () => {
  const { nodes } = planned({ facts: { a: withArgument }, wish: { allowKernelArgumentLoss: true } })
  assert.equal(nodes[0]?.before.kernelArguments, ['usb-storage.quirks=04e8:61f5:u'])
})
test('leaves out a machine in maintenance, and says so', () => {
  const { nodes, notes } = planned({ controlPlanes: ['a', 'b', 'c', 'd'], facts: { b: 'maintenance' }, absent: ['b'] })
  assert.equal(
    nodes.map(({ node }) => node),
    ['a', 'c', 'd'],
  )
  assert.ok(notes.includes('b is in maintenance and waits for its configuration: it is left out'))
})
refused(
  'lets a machine in maintenance count while its member is listed',
  { facts: { b: 'maintenance' }, etcd: { b: { answers: false } } },
  ['b etcd-member-unhealthy', 'a etcd-quorum'],
)
const unjoined = { b: { answers: false, started: false, id: undefined } } as never
refused(
  'takes no control plane down while another one has not joined etcd yet',
  { facts: { b: { stage: 'booting', ready: false } }, etcd: unjoined, wish: { nodes: ['a'] } },
  ['b control-plane-not-ready', 'b etcd-not-joined', 'a etcd-outage'],
)
test('sends a control plane that has not joined etcd yet first, and alone', () => {
  const { waves } = planned({ workers: ['w'], etcd: unjoined })
  assert.equal(waves.find(({ goal }) => goal === 'turn')?.nodes, ['b'])
})
test('upgrades a worker while a control plane has not joined etcd yet, and says so', () => {
  const { waves, notes } = planned({ workers: ['w'], etcd: unjoined, wish: { nodes: ['w'] } })
  assert.equal(
    waves.flatMap(({ nodes }) => nodes),
    ['w', 'w'],
  )
  assert.ok(notes.includes('b has not joined etcd yet'))
})
refused(
  'does not leave out what is asked for by name',
  { facts: { b: 'maintenance' }, absent: ['b'], wish: { nodes: ['b'] } },
  ['b node-in-maintenance'],
)
refused('names every node that does not answer', { facts: { a: 'silent', b: 'silent' } }, [
  'a node-unreachable',
  'b node-unreachable',
])
refused(
  'names a silent control plane once, and not its etcd member as well',
  {
    facts: { a: 'silent' },
    etcd: { a: { answers: false } },
  },
  ['a node-unreachable'],
)
refused(
  'names a silent control plane that is not to be changed with what that means for etcd',
  {
    facts: { a: 'silent' },
    etcd: { a: { answers: false } },
    wish: { nodes: ['b'] },
  },
  ['a control-plane-unreachable', 'a etcd-member-unhealthy', 'b etcd-quorum'],
)
refused('refuses a node in maintenance', { facts: { a: { stage: 'maintenance' } } }, [
  'a node-not-ready',
  'a control-plane-not-ready',
])
refused(
  'refuses to take one down while a control plane that has the target already is not ready',
  {
    facts: { a: { version: 'v1.13.9', ready: false, unmet: ['nodeReady: node is not ready'] } },
  },
  ['a control-plane-not-ready'],
)
test('takes a control plane that is not ready first, as it may be the cure', () => {
  const plan = planned({ facts: { a: { ready: false, unmet: ['nodeReady: node is not ready'] } } })
  assert.is(sequenceOf(plan)[0], 'a')
})
refused('refuses one control plane without --accept-etcd-outage', { controlPlanes: ['c'] }, ['c etcd-outage'])
test('upgrades one or two control planes when the outage is accepted', () => {
  planned({ controlPlanes: ['c'], wish: { acceptEtcdOutage: true } })
  assert.is(sequenceOf(planned({ controlPlanes: ['b', 'c'], wish: { acceptEtcdOutage: true } }))[0], 'b')
})

test.run()
