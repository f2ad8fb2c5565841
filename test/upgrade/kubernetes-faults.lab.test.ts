// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { changesOf, untilWell } from '../support/lab-changes.ts'
import { loadAnew } from '../support/load-anew.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { budgetOver, daemon, database, deployment } from '../support/workloads.ts'

const names = ['k8s-1', 'k8s-2', 'k8s-3'] as const
/** enough for one that is met by a fault, and one that comes after it */
const two = ['k8s-2', 'k8s-3'] as const
const workloads = [
  deployment('web', 3),
  budgetOver('web', { minAvailable: 2 }),
  // a replica on each node: the one that is evicted waits for its node, and its volume for nobody
  database('db', 3),
  daemon('agent'),
]
const upgrade = { soak: '500ms' }

const test = suite('faults of Kubernetes, on the way from patch to patch')
let lab: TestLab
let patch = 2
test.before(async () => {
  lab = await startLab({ kubernetes: true, workloads, version: `v1.13.${patch}`, speed: 40 })
})
test.after(() => lab.down())

/** The way of some nodes to the next patch release. */
function begin(nodes: readonly string[]) {
  patch += 1
  const version = `v1.13.${patch}`
  const from = lab.log().length
  const changes = () => changesOf(lab.log().slice(from))
  return {
    changes,
    run: (operations: Readonly<Record<string, unknown>>) =>
      runUpgrade(lab, {
        flags: ['--to', version, '--nodes', nodes.join(',')],
        operations: { drain: {}, ...operations },
      }),
    /** each was installed to and rebooted once, runs it and is ready, and no rule was broken */
    async assertDone() {
      assert.equal(changes().sort(), [...nodes.map((n) => `install ${n}`), ...nodes.map((n) => `reboot ${n}`)].sort())
      const { nodes: now = [] } = await lab.status()
      const own = now.filter(({ name }) => nodes.includes(name))
      assert.equal(
        own.map((node) => [node.version, node.ready]),
        nodes.map(() => [version, true]),
      )
      assert.equal(lab.check(), [])
    },
  }
}

test('What would block is refused before anything changes, by the names of the pod and of what protects it', async () => {
  const rows: [name: FaultName, reason: FailureReason, says: RegExp][] = [
    ['pdb-blocks-forever', 'drain-would-block', /PodDisruptionBudget \S+\/lab-blocks-k8s-2 allows no disruption of /],
    ['node-object-deleted', 'kubernetes-node-unknown', /knows no node with the address/],
  ]
  const { run, changes } = begin(names)
  for (const [name, reason, says] of rows) {
    await lab.fault({ name, node: 'k8s-2' })
    const refused = await run({ upgrade })
    assertEnding(refused, names, { code: 77, verdicts: ['refused', 'refused', 'refused'], reasons: [reason] })
    assert.match(refused.finished.failures[0]?.detail ?? '', says)
    assert.is(refused.finished.failures[0]?.node, 'k8s-2')
    assert.equal(changes(), [])
    assert.equal(await lab.cordoned(), [])
    await lab.cure()
    await untilWell(lab)
  }
})

if (inFull)
  test('A dead Node with the address of a machine, listed before its own, is named and left alone', async () => {
    await leaveDeadNode(lab, 'a-before', lab.addresses['k8s-2'] ?? '')
    const { run, assertDone } = begin(names)
    const last = await run({ upgrade })
    const started = last.events.find((event) => event.type === 'run.started')
    assert.match(started?.plan.notes.join() ?? '', 'another Node with its address, a-before')
    assert.equal(
      lab.log().filter((event) => event.type === 'node.cordoned' && event.node === 'a-before'),
      [],
    )
    assertEnding(last, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    await assertDone()
    assert.is((await lab.kubectl(['delete', 'node', 'a-before'])).code, 0)
  })

/** A Node object that no kubelet stands behind any more, with the address of a machine that has another one. */
async function leaveDeadNode(lab: TestLab, name: string, address: string): Promise<void> {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name } }
  await lab.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(node) })
  const ready = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting' }
  const status = {
    addresses: [{ type: 'InternalIP', address }],
    conditions: [ready],
    nodeInfo: { bootID: 'of-another-boot' },
  }
  const patch = ['patch', 'node', name, '--subresource=status', '--patch', JSON.stringify({ status })]
  const { code, stderr } = await lab.kubectl(patch)
  assert.is(code, 0, stderr)
}

type GivenUp = {
  title: string
  /** the others are run by the full tier */
  quick?: true
  fault: FaultName
  /** each node meets it just after it was cordoned; otherwise from the start */
  whenCordoned?: true
  drain: object
  reasons: FailureReason[]
  says: RegExp
  /** the same command while the fault lasts */
  meanwhile: { code: number; reasons: FailureReason[] }
}

const givenUp: GivenUp[] = [
  {
    title: 'pdb-blocks-forever: the drain is given up in order, and the budget is named',
    quick: true,
    fault: 'pdb-blocks-forever',
    drain: { timeout: '8s', whenBlocked: 'try' },
    reasons: ['drain-blocked'],
    says: /PodDisruptionBudget \S+\/lab-blocks-k8s-\d allows no disruption of /,
    meanwhile: { code: 1, reasons: ['drain-blocked'] },
  },
  {
    title: 'pod-never-terminates: the drain is given up in order, and the pod is named',
    fault: 'pod-never-terminates',
    drain: { timeout: '8s' },
    reasons: ['drain-blocked'],
    says: /was evicted and does not end/,
    meanwhile: { code: 1, reasons: ['drain-blocked'] },
  },
  {
    title: 'volume-never-detaches: the node stays up, and the claim is named',
    fault: 'volume-never-detaches',
    drain: { timeout: '60s', detachTimeout: '4s' },
    reasons: ['volumes-attached'],
    says: /still attached: default\/data-db-\d/,
    meanwhile: { code: 1, reasons: ['volumes-attached'] },
  },
  {
    title: 'node-object-deleted in the middle of a drain: the node stays up',
    fault: 'node-object-deleted',
    whenCordoned: true,
    drain: { timeout: '8s' },
    reasons: ['cordon-failed'],
    says: /Kubernetes has no such Node/,
    meanwhile: { code: 77, reasons: ['kubernetes-node-unknown'] },
  },
]

for (const { title, quick, fault, whenCordoned, drain, reasons, says, meanwhile } of givenUp) {
  if (!inFull && !quick) continue
  test(title, async () => {
    await loadAnew(lab)
    const { run, changes, assertDone } = begin(two)
    for (const node of two) {
      await lab.fault({ name: fault, node, ...(whenCordoned ? { when: `${node} cordoned` } : {}) })
    }
    const first = await run({ upgrade, drain })
    const verdicts: Verdict[] = ['installed-not-rebooted', 'unchanged']
    assertEnding(first, first.order, { code: 1, verdicts, reasons })
    assert.match(first.finished.failures[0]?.detail ?? '', says)
    assert.equal(await lab.cordoned(), [], 'nobody is left cordoned')
    assert.equal(
      changes().filter((change) => change.startsWith('reboot')),
      [],
    )
    const second = await run({ upgrade, drain })
    assert.equal([second.code, second.reasons], [meanwhile.code, meanwhile.reasons], second.stderr)
    assert.equal(await lab.cordoned(), [])
    await lab.cure()
    await untilWell(lab)
    const last = await run({ upgrade, drain: { timeout: '60s', whenBlocked: 'try' } })
    assert.equal([last.code, last.reasons], [0, []], last.stderr)
    await assertDone()
  })
}

if (inFull)
  test('pdb-blocks-for, apiserver-down-for, apiserver-flaps, kubelet-slow-ready, renamed-at-boot and foreign-cordon pass, and the cordon stays', async () => {
    await loadAnew(lab)
    const { run, assertDone } = begin(names)
    const from = lab.log().length
    await lab.fault({ name: 'foreign-cordon', node: 'k8s-1' })
    for (const node of names) {
      await lab.fault({ name: 'kubelet-slow-ready', node, seconds: 120 })
      await lab.fault({ name: 'apiserver-down-for', node, seconds: 160, when: 'any machine.down' })
    }
    for (const node of two) await lab.fault({ name: 'pdb-blocks-for', node, seconds: 1_000_000 })
    await lab.fault({ name: 'apiserver-flaps', node: 'k8s-3' })
    await lab.fault({ name: 'renamed-at-boot', node: 'k8s-2' })
    const running = run({ upgrade, drain: { whenBlocked: 'try' } })
    const isBlocked = (node: string) => (event: LoggedEvent) =>
      event.type === 'pod.evicted' && event.node === node && event.code === 429 && !event.dryRun
    // each budget allows a disruption again once it has refused one, whenever that is
    const allows = two.map(async (node) => {
      await Promise.race([lab.logged(isBlocked(node), { from }), running])
      await lab.cure({ name: 'pdb-blocks-for', node })
    })
    const [passed] = await Promise.all([running, ...allows])
    assertEnding(passed, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    assert.equal(await lab.cordoned(), ['k8s-1'], 'what somebody else cordoned stays so, and nothing else is')
    await assertDone()
    const notices = passed.events.flatMap((event) => (event.type === 'notice' ? [event.text] : []))
    assert.ok(notices.includes('k8s-2 is k8s-2b in Kubernetes since this boot'), notices.join('\n'))
    const states = await lab.kubectl(['get', 'nodes', '--no-headers'])
    assert.match(states.stdout, /^k8s-2 +NotReady .*\nk8s-2b +Ready /m, 'the old Node stays, and nobody cordons it')
    for (const node of two)
      assert.ok(lab.log().slice(from).some(isBlocked(node)), `no eviction from ${node} was ever refused`)
    await lab.cure()
    assert.equal(await lab.cordoned(), [])
  })

test.run()
