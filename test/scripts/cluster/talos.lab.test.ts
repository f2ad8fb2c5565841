// limit: 400 s
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createTalos, type Talos } from '../../../scripts/cluster/talos.ts'
import { type Command, createRun, type Run } from '../../../scripts/run.ts'
import { resolveTool } from '../../../scripts/toolchain/resolve-tool.ts'
import type { TalosctlName } from '../../../scripts/toolchain/tool-table.ts'
import type { NodeDeclaration } from '../../../workflows/model/cluster.ts'
import type { NodeObservation } from '../../../workflows/model/observation.ts'
import { inFull } from '../../support/in-full.ts'
import { labImage, labSchematic, startLab, type TestLab } from '../../support/lab.ts'

const test = suite('Talos by talosctl, in the lab')

let lab: TestLab
let nodes: NodeDeclaration[]
let talosconfig: string
/** through each talosctl */
let by: Record<TalosctlName, Talos>
/** through the older of them, which is what these nodes are driven by */
let talos: Talos
let ran: Command[] = []
const folder = mkdtempSync(join(tmpdir(), 'talos-test-'))
const time = { timeoutMs: 20_000 }

const node = (name: string): NodeDeclaration => {
  const found = nodes.find((n) => n.name === name)
  if (!found) throw new Error(name)
  return found
}
const controlPlanes = () => nodes.filter(({ role }) => role === 'controlplane')
const clients = ['talosctl-1.13', 'talosctl-1.14'] as const satisfies readonly TalosctlName[]
/** for what takes its time */
const patient = inFull ? clients : clients.slice(1)
const talosWith = async (config: string, client: TalosctlName = 'talosctl-1.13') => {
  const tool = await resolveTool(client)
  if (!tool.found) throw new Error(tool.detail)
  const real = createRun({ paths: { talosctl: tool.path }, env: process.env })
  const run: Run = (command, options) => {
    ran.push(command)
    return real(command, options)
  }
  return createTalos(run, { talosconfig: config, endpoints: controlPlanes().map(({ address }) => address) })
}
const facts = (observation: NodeObservation | undefined) => {
  if (!observation?.reachable) throw new Error(JSON.stringify(observation))
  return observation
}
const reasonOf = (observation: NodeObservation | undefined) =>
  observation?.reachable === false ? observation.failure.reason : 'reachable'

/** Resolves when a node that went down is ready again. */
const readyAgain = async (name: string) => {
  const down = await lab.logged((e) => e.type === 'machine.down' && e.node === name)
  await lab.logged((e) => e.type === 'machine.ready' && e.node === name && e.at > down.at)
}

test.before(async () => {
  lab = await startLab({ controlPlanes: 3, workers: 2, versions: { 'k8s-3': 'v1.12.7', 'worker-2': 'v1.12.7' } })
  nodes = Object.entries(lab.addresses).map(([name, address]) => ({
    name,
    address,
    role: name.startsWith('worker') ? 'worker' : 'controlplane',
  }))
  talosconfig = join(lab.clusterDir, 'talosconfig')
  by = {
    'talosctl-1.13': await talosWith(talosconfig),
    'talosctl-1.14': await talosWith(talosconfig, 'talosctl-1.14'),
  }
  talos = by['talosctl-1.13']
})
test.before.each(() => {
  ran = []
})
test.after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await lab?.down()
})

for (const client of clients)
  test(`${client}: observes every node, of both generations, in one process a kind of resource`, async () => {
    const seen = await by[client].observeNodes(nodes, time)
    assert.equal(Object.keys(seen), ['k8s-1', 'k8s-2', 'k8s-3', 'worker-1', 'worker-2'])
    const { bootId, kernelCmdline, ...first } = facts(seen['k8s-1'])
    assert.match(kernelCmdline ?? '', 'talos.platform=metal')
    assert.match(bootId, /^[0-9a-f-]{36}$/)
    assert.equal(first, {
      reachable: true,
      version: 'v1.13.5',
      stage: 'running',
      ready: true,
      unmet: [],
      schematic: labSchematic,
      schematicArguments: [],
      extensions: ['iscsi-tools', 'intel-ucode'],
      platform: 'metal',
      secureBoot: false,
      role: 'controlplane',
      hostname: 'k8s-1',
      nodename: 'k8s-1',
      kubeletVersion: 'v1.36.1',
      otherSlot: { state: 'quiet' },
    })
    assert.is(facts(seen['k8s-3']).version, 'v1.12.7')
    assert.is(facts(seen['worker-1']).role, 'worker')
    // version of control planes and of workers, nine kinds, the log, and a boot id for each node: more would mean that
    // nodes were asked twice.
    assert.is(ran.length, 2 + 9 + 1 + nodes.length)
  })

for (const client of clients)
  test(`${client}: knows whether a configuration is pending, in a process or two and without a word of it`, async () => {
    const seen = await by[client].configurations(nodes, time)
    for (const { name } of nodes) {
      const configuration = seen[name]
      assert.ok(configuration?.ok, JSON.stringify(configuration))
      assert.match(JSON.stringify(configuration.value), /^\{"hash":"[0-9a-f]{64}","pending":"nothing"\}$/)
    }
    // control planes of which nothing was heard for a while are asked apart
    assert.ok(ran.length <= 2)
    assert.equal((await by[client].configurations(nodes, time))['k8s-1'], seen['k8s-1'])
    const judge = { to: 'v1.14.1', modes: { 'k8s-1': 'metal', 'worker-1': 'cloud' } } as const
    const judged = await by[client].configurations(nodes, { ...time, judge })
    for (const { name } of nodes) {
      const configuration = judged[name]
      const wanted = name in judge.modes ? { for: 'v1.14.1' } : undefined
      assert.equal(configuration?.ok && configuration.value.judged, wanted, JSON.stringify(configuration))
    }
  })

for (const client of clients)
  test(`${client}: lays the control planes' views of etcd side by side, in four processes`, async () => {
    const etcd = await by[client].observeEtcd(controlPlanes(), time)
    assert.equal(
      etcd.members.map(({ node: name, started, learner, answers, errors }) => ({
        name,
        started,
        learner,
        answers,
        errors,
      })),
      ['k8s-1', 'k8s-2', 'k8s-3'].map((name) => ({ name, started: true, learner: false, answers: true, errors: [] })),
    )
    assert.is(etcd.members.filter(({ leader }) => leader).length, 1)
    assert.equal([etcd.undeclared, etcd.disagreements, etcd.alarms], [[], [], []])
    assert.is(ran.length, 4)
  })

for (const client of clients)
  test(`${client}: glances at a node through itself`, async () => {
    const glance = await by[client].glance(node('worker-1'), time)
    assert.ok(glance.ok)
    const { bootId, ...rest } = glance.value
    assert.match(bootId, /^[0-9a-f-]{36}$/)
    assert.equal(rest, { version: 'v1.13.5', stage: 'running', ready: true, unmet: [] })
    for (const { argv } of ran) assert.is(argv[argv.indexOf('-e') + 1], node('worker-1').address)
  })

for (const [fault, reason] of [
  ['wrong-ca', 'wrong-ca'],
  ['answers-garbage', 'garbage-answer'],
] as const)
  test(`${fault} on one node is told of that node, and the others are read`, async () => {
    await lab.fault({ name: fault, node: 'k8s-2' })
    try {
      for (const client of patient) {
        const seen = await by[client].observeNodes(nodes, time)
        const others = nodes.map(({ name }) => (name === 'k8s-2' ? reason : 'reachable'))
        assert.equal(
          nodes.map(({ name }) => reasonOf(seen[name])),
          others,
        )
        const stages = await by[client].stages(nodes, time)
        assert.equal(
          nodes.map(({ name }) => (stages[name]?.ok ? 'reachable' : stages[name]?.failure.reason)),
          others,
        )
        const glance = await by[client].glance(node('k8s-2'), time)
        assert.is(glance.ok ? 'ok' : glance.failure.reason, reason)
      }
    } finally {
      await lab.cure()
    }
  })

// what a silent endpoint costs is a share of it; a machine that runs several labs needs the rest
const silence = { timeoutMs: 40_000 }

for (const client of patient)
  test(`${client}: a silent first endpoint keeps nobody else from being read`, async () => {
    await lab.fault({ name: 'unreachable-for', node: 'k8s-1', seconds: 100_000 } as never)
    try {
      const seen = await by[client].observeNodes(nodes, silence)
      assert.equal(
        nodes.map(({ name }) => reasonOf(seen[name])),
        ['node-unreachable', 'reachable', 'reachable', 'reachable', 'reachable'],
      )
      const etcd = await by[client].observeEtcd(controlPlanes(), silence)
      assert.equal(
        etcd.members.map(({ answers, failure }) => (answers ? 'answers' : failure?.reason)),
        ['node-unreachable', 'answers', 'answers'],
      )
      assert.ok(etcd.members[0]?.id, 'the others know its member')
    } finally {
      await lab.cure()
    }
  })

for (const client of patient)
  test(`${client}: a dead etcd member, an alarm and a learner are seen for what they are`, async () => {
    const etcd = () => by[client].observeEtcd(controlPlanes(), time)
    await lab.fault({ name: 'etcd-member-down', node: 'k8s-2' })
    const dead = await etcd()
    assert.equal(
      dead.members.map(({ answers, failure }) => (answers ? 'answers' : failure?.detail)),
      ['answers', 'etcd does not run', 'answers'],
    )
    assert.ok(dead.members[1]?.id)
    // it may be the way to the others, and is not asked itself
    const asked = ran
      .filter(({ argv }) => argv.includes('status'))
      .map(({ argv }) => argv[argv.indexOf('-n') + 1] ?? '')
    assert.ok(asked.length > 0)
    assert.equal(
      asked.filter((addresses) => addresses.split(',').includes(node('k8s-2').address)),
      [],
    )
    const from = lab.log().length
    await lab.cure()
    await lab.logged(({ type }) => type === 'etcd.healthy', { from })

    await lab.fault({ name: 'etcd-learner', node: 'k8s-1' })
    const learning = await etcd()
    assert.equal(
      learning.undeclared.map(({ hostname, learner }) => ({ hostname, learner })),
      [{ hostname: '', learner: true }],
    )
    await lab.cure()

    await lab.fault({ name: 'etcd-alarm-nospace', node: 'k8s-3' })
    assert.equal((await etcd()).alarms, [{ node: 'k8s-3', kind: 'NOSPACE' }])
    await lab.cure()

    await lab.fault({ name: 'etcd-alarms-unreadable', node: 'k8s-2' })
    const unread = (await etcd()).unread.map(({ node, what, failure }) => [node, what, failure.detail])
    assert.equal(unread, [['k8s-2', 'alarms', 'failed to list etcd alarms: context deadline exceeded']])
    await lab.cure()
  })

for (const client of clients)
  test(`${client}: a snapshot is verified, private, and leaves nothing behind when it fails`, async () => {
    const path = join(folder, 'etcd.db')
    const taken = await by[client].snapshot(node('k8s-1'), path, time)
    assert.ok(taken.ok, JSON.stringify(taken))
    assert.match(taken.value.info, /^hash [0-9a-f]{8}, revision \d+, /)
    assert.is(statSync(path).mode & 0o777, 0o600)
    const failed = await by[client].snapshot(node('worker-1'), join(folder, 'none.db'), time)
    assert.is(failed.ok ? 'ok' : failed.failure.reason, 'snapshot-failed')
    assert.not.ok(existsSync(join(folder, 'none.db')) || existsSync(join(folder, 'none.db.part')))
  })

for (const client of clients)
  test(`${client}: hands over leadership`, async () => {
    const leader =
      (await by[client].observeEtcd(controlPlanes(), time)).members.find((member) => member.leader)?.node ?? ''
    const handed = await by[client].forfeitLeadership(node(leader), time)
    assert.ok(handed.ok, JSON.stringify(handed))
    const now = (await by[client].observeEtcd(controlPlanes(), time)).members.find((member) => member.leader)?.node
    assert.is.not(now, leader)
  })

for (const name of ['k8s-1', 'k8s-3'])
  test(`pulls onto ${name}, and says why when it can not`, async () => {
    for (const client of patient) {
      assert.equal(await by[client].pull(node(name), labImage('v1.13.9'), time), { ok: true, value: undefined })
      await lab.fault({ name: 'image-pull-fails', node: name })
      const failed = await by[client].pull(node(name), labImage('v1.13.8'), time)
      assert.is(failed.ok ? 'ok' : failed.failure.reason, 'image-pull-failed')
      await lab.cure()
      await lab.fault({ name: 'image-pull-hangs', node: name })
      const hung = await by[client].pull(node(name), labImage('v1.13.7'), { timeoutMs: 2000 })
      assert.is(hung.ok ? 'ok' : hung.failure.reason, 'image-pull-timed-out')
      await lab.cure()
    }
  })

test('an installation that fails is told, and seen in the log', async () => {
  await lab.fault({ name: 'install-fails', node: 'worker-1' })
  for (const client of clients) {
    const failed = await by[client].install(node('worker-1'), labImage('v1.13.9'), time)
    assert.is(failed.ok ? 'ok' : failed.failure.reason, 'install-failed')
  }
  await lab.cure()
  const seen = facts((await talos.observeNodes([node('worker-1')], time))['worker-1'])
  assert.equal(seen.otherSlot, { state: 'install-failed', image: labImage('v1.13.9'), exitCode: 1 })
})

test('installs without a reboot through another endpoint, whatever happens to the signal, and the log tells', async () => {
  const abort = new AbortController()
  const processFile = join(folder, 'install.pid')
  const installing = talos.install(node('k8s-2'), labImage('v1.13.9'), { ...time, signal: abort.signal, processFile })
  await lab.logged((e) => e.type === 'install.started' && e.node === 'k8s-2')
  assert.match(readFileSync(processFile, 'utf8'), /^\d+\b/)
  const during = facts((await talos.observeNodes([node('k8s-2')], time))['k8s-2'])
  assert.ok(['installing', 'installed'].includes(during.otherSlot.state), during.otherSlot.state)
  abort.abort()
  assert.equal(await installing, { ok: true, value: undefined })
  const install = ran.find(({ argv }) => argv.includes('upgrade'))
  assert.is.not(install?.argv[install.argv.indexOf('-e') + 1], node('k8s-2').address)
  const seen = facts((await talos.observeNodes(nodes, time))['k8s-2'])
  assert.is(seen.version, 'v1.13.5')
  assert.ok(seen.otherSlot.state === 'installed' && seen.otherSlot.image === labImage('v1.13.9'))
  assert.match(seen.otherSlot.at ?? '', /^\d{4}-\d\d-\d\dT/)
})

test('an installation outlives the talosctl that asked for it, and one whose installer died is told from one that runs', async () => {
  const impatient = createRun({ paths: { talosctl: lab.tools.talosctl }, env: process.env, graceMs: 100 })
  const argv = ['--talosconfig', talosconfig, '-e', node('k8s-1').address, '-n', node('k8s-1').address]
  const upgrade = ['upgrade', '--no-reboot', `--image=${labImage('v1.13.9')}`]
  const install = async () => {
    const from = lab.log().length
    const abort = new AbortController()
    const running = impatient(
      { tool: 'talosctl', argv: [...argv, ...upgrade], timeoutMs: 60_000, mutates: true },
      { signal: abort.signal },
    )
    await lab.logged((e) => e.type === 'install.started' && e.node === 'k8s-1', { from })
    abort.abort()
    await running
    return from
  }
  await lab.fault({ name: 'installer-dies', node: 'k8s-1', times: 1 })
  const died = await install()
  await lab.logged((e) => e.type === 'install.cut-off' && e.node === 'k8s-1', { from: died })
  const cut = facts((await talos.observeNodes([node('k8s-1')], time))['k8s-1'])
  assert.equal(cut.otherSlot, { state: 'cut-off', image: labImage('v1.13.9') })
  const left = await install()
  await lab.logged((e) => e.type === 'install.finished' && e.node === 'k8s-1', { from: left })
  const seen = facts((await talos.observeNodes([node('k8s-1')], time))['k8s-1'])
  assert.is(seen.otherSlot.state, 'installed')
})

test('reboots, follows the stage from the node itself, and sees the new boot', async () => {
  const before = await talos.glance(node('k8s-2'), time)
  assert.ok(before.ok)
  const stages: string[] = []
  const watching = talos.watchStage(node('k8s-2'), ({ stage }) => stages.push(stage), time)
  while (stages.length === 0) await new Promise(setImmediate)
  assert.is(stages[0], 'running')
  assert.equal(await talos.reboot(node('k8s-2'), time), { ok: true, value: undefined })
  await watching
  assert.ok(stages.includes('rebooting'), stages.join())
  await readyAgain('k8s-2')
  const after = await talos.glance(node('k8s-2'), time)
  assert.ok(after.ok, JSON.stringify(after))
  assert.is.not(after.value.bootId, before.value.bootId)
  assert.is(after.value.version, 'v1.13.9')
  // Others may still believe that it is down; it is asked itself before that is believed.
  const seen = await talos.observeNodes(nodes, time)
  assert.equal(facts(seen['k8s-2']).otherSlot, { state: 'quiet' })
})

for (const client of clients)
  test(`${client}: a reboot whose request is lost is no success`, async () => {
    await lab.fault({ name: 'reboot-request-lost', node: 'k8s-2' })
    const lost = await by[client].reboot(node('k8s-2'), time)
    assert.is(lost.ok ? 'ok' : lost.failure.reason, 'reboot-failed')
    await lab.cure()
  })

test('talosctl-1.14: installs and reboots a node of Talos 1.13', async () => {
  const newer = by['talosctl-1.14']
  const worker = node('worker-1')
  assert.equal(await newer.install(worker, labImage('v1.13.9'), time), { ok: true, value: undefined })
  assert.is(facts((await newer.observeNodes([worker], time))['worker-1']).otherSlot.state, 'installed')
  const stages: string[] = []
  const watching = newer.watchStage(worker, ({ stage }) => stages.push(stage), time)
  while (stages.length === 0) await new Promise(setImmediate)
  assert.equal(await newer.reboot(worker, time), { ok: true, value: undefined })
  await watching
  assert.ok(stages.includes('rebooting'), stages.join())
  await readyAgain('worker-1')
  assert.is(facts((await newer.observeNodes([worker], time))['worker-1']).version, 'v1.13.9')
})

for (const [client, name] of [
  ['talosctl-1.13', 'k8s-3'],
  ['talosctl-1.14', 'worker-2'],
] as const)
  test(`${client}: upgrades a node below 1.13 the old way, and returns before it reboots`, async () => {
    const upgraded = await by[client].upgradeLegacy(node(name), labImage('v1.13.9'), { ...time, force: false })
    assert.equal(upgraded, { ok: true, value: undefined })
    await readyAgain(name)
    assert.is(facts((await by[client].observeNodes([node(name)], time))[name]).version, 'v1.13.9')
  })

test('a talosconfig that is missing or none is told of every node, and is not created', async () => {
  const missing = join(folder, 'no-talosconfig')
  const none = join(folder, 'bad-talosconfig')
  writeFileSync(none, 'context: a\ncontexts: {}\n')
  for (const [path, reason] of [
    [missing, 'talosconfig-missing'],
    [none, 'talosconfig-invalid'],
  ] as const) {
    const seen = await (await talosWith(path)).observeNodes(nodes, time)
    assert.equal(
      nodes.map(({ name }) => reasonOf(seen[name])),
      nodes.map(() => reason),
    )
  }
  assert.not.ok(existsSync(missing))
})

test('nothing rejects when the signal is aborted already', async () => {
  const options = { ...time, signal: AbortSignal.abort() }
  assert.is(reasonOf((await talos.observeNodes(nodes, options))['k8s-1']), 'command-failed')
  assert.not.ok((await talos.observeEtcd(controlPlanes(), options)).members.some(({ answers }) => answers))
  assert.not.ok((await talos.glance(node('k8s-1'), options)).ok)
  assert.not.ok((await talos.reboot(node('k8s-1'), options)).ok)
})

test('the lab saw no installation cut off by us', () => {
  assert.equal(
    lab.check().filter(({ invariant }) => invariant === 'install-not-cut-off'),
    [],
  )
})

test.run()
