// limit: 1800 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { FailureReason } from '../../workflows/model/failure.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import type { TestLab } from '../support/lab.ts'
import { assertUpgraded, changesOf, untilWell } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'
import { budgetOver, daemon, database, deployment } from '../support/workloads.ts'

const names = ['k8s-1', 'k8s-2', 'k8s-3'] as const
const target = 'v1.13.9'
const once = [1, 1] as const
const workloads = [
  deployment('web', 3),
  budgetOver('web', { minAvailable: 2 }),
  // a replica on each node: the one that is evicted waits for its node, and its volume for nobody
  database('db', 3),
  daemon('agent'),
]
const wishes = { kubernetes: true, workloads, target, speed: 40 }
const upgrade = { soak: '500ms' }

test('What would block is refused before anything changes, by the names of the pod and of what protects it', async () => {
  await withLab(wishes, async (lab) => {
    const rows: [name: FaultName, reason: FailureReason, says: RegExp][] = [
      ['pdb-blocks-forever', 'drain-would-block', /PodDisruptionBudget \S+\/lab-blocks-k8s-2 allows no disruption of /],
      ['node-object-deleted', 'kubernetes-node-unknown', /knows no node with the address/],
    ]
    for (const [name, reason, says] of rows) {
      await lab.fault({ name, node: 'k8s-2' })
      const run = await runUpgrade(lab, { operations: { upgrade } })
      assertEnding(run, names, { code: 77, verdicts: ['refused', 'refused', 'refused'], reasons: [reason] })
      assert.match(run.finished.failures[0]?.detail ?? '', says)
      assert.is(run.finished.failures[0]?.node, 'k8s-2')
      assert.equal(changesOf(lab.log()), [])
      assert.equal(await lab.cordoned(), [])
      await lab.cure()
      await untilWell(lab)
    }
    // what a machine left behind under an old name, listed before its own Node
    const address = lab.addresses['k8s-2'] ?? ''
    await leaveDeadNode(lab, 'a-before', address)
    const last = await runUpgrade(lab, { operations: { upgrade } })
    const started = last.events.find((event) => event.type === 'run.started')
    assert.match(started?.plan.notes.join() ?? '', 'another Node with its address, a-before')
    assert.equal(
      lab.log().filter((event) => event.type === 'node.cordoned' && event.node === 'a-before'),
      [],
    )
    assertEnding(last, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    await assertUpgraded(lab, target, { 'k8s-1': once, 'k8s-2': once, 'k8s-3': once })
  })
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

for (const { title, fault, whenCordoned, drain, reasons, says, meanwhile } of givenUp) {
  test(title, () =>
    withLab(wishes, async (lab) => {
      for (const node of names) {
        await lab.fault({ name: fault, node, ...(whenCordoned ? { when: `${node} cordoned` } : {}) })
      }
      const operations = { upgrade, drain }
      const first = await runUpgrade(lab, { operations })
      const verdicts: Verdict[] = ['installed-not-rebooted', 'unchanged', 'unchanged']
      assertEnding(first, first.order, { code: 1, verdicts, reasons })
      assert.match(first.finished.failures[0]?.detail ?? '', says)
      assert.equal(await lab.cordoned(), [], 'nobody is left cordoned')
      assert.equal(
        changesOf(lab.log()).filter((change) => change.startsWith('reboot')),
        [],
      )
      const second = await runUpgrade(lab, { operations })
      assert.equal([second.code, second.reasons], [meanwhile.code, meanwhile.reasons], second.stderr)
      assert.equal(await lab.cordoned(), [])
      await lab.cure()
      await untilWell(lab)
      const last = await runUpgrade(lab, { operations: { upgrade, drain: { timeout: '60s', whenBlocked: 'try' } } })
      assert.equal([last.code, last.reasons], [0, []], last.stderr)
      await assertUpgraded(lab, target, { 'k8s-1': once, 'k8s-2': once, 'k8s-3': once })
    }),
  )
}

test('pdb-blocks-for, apiserver-down-for, apiserver-flaps, kubelet-slow-ready, renamed-at-boot and foreign-cordon pass, and the cordon stays', () =>
  withLab(wishes, async (lab) => {
    await lab.fault({ name: 'foreign-cordon', node: 'k8s-1' })
    for (const node of names) {
      await lab.fault({ name: 'kubelet-slow-ready', node, seconds: 120 })
      await lab.fault({ name: 'apiserver-down-for', node, seconds: 160, when: 'any machine.down' })
    }
    for (const node of ['k8s-2', 'k8s-3']) await lab.fault({ name: 'pdb-blocks-for', node, seconds: 1600 })
    await lab.fault({ name: 'apiserver-flaps', node: 'k8s-3' })
    await lab.fault({ name: 'renamed-at-boot', node: 'k8s-2' })
    const run = await runUpgrade(lab, { operations: { upgrade, drain: { whenBlocked: 'try' } } })
    assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    assert.equal(await lab.cordoned(), ['k8s-1'], 'what somebody else cordoned stays so, and nothing else is')
    await assertUpgraded(lab, target, { 'k8s-1': once, 'k8s-2': once, 'k8s-3': once })
    const notices = run.events.flatMap((event) => (event.type === 'notice' ? [event.text] : []))
    assert.ok(notices.includes('k8s-2 is k8s-2b in Kubernetes since this boot'), notices.join('\n'))
    const states = await lab.kubectl(['get', 'nodes', '--no-headers'])
    assert.match(states.stdout, /^k8s-2 +NotReady .*\nk8s-2b +Ready /m, 'the old Node stays, and nobody cordons it')
    assert.ok(
      lab.log().some((event) => event.type === 'pod.evicted' && event.code === 429 && !event.dryRun),
      'no eviction was ever refused',
    )
    await lab.cure()
    assert.equal(await lab.cordoned(), [])
  }))

test.run()
