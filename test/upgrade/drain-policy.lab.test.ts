// limit: 1200 s
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Failure, FailureReason } from '../../workflows/model/failure.ts'
import { eventually } from '../support/eventually.ts'
import { inFull } from '../support/in-full.ts'
import type { TestLab } from '../support/lab.ts'
import { assertUpgraded, changesOf, untilWell } from '../support/lab-changes.ts'
import { typeHint } from '../support/type-hint.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'
import { budgetOver, crashing, database, deployment, labelled } from '../support/workloads.ts'

const names = ['k8s-1', 'worker-1', 'worker-2'] as const
const flags = ['--accept-etcd-outage']
const upgrade = { soak: '500ms' }
const once = [1, 1] as const
const all = Object.fromEntries(names.map((name) => [name, once]))
const wishes = { kubernetes: true, controlPlanes: 1, workers: 2, speed: 40 }

test('the single primary of a database is refused by the name of its budget, until the policy says otherwise', () =>
  withLab({ ...wishes, workloads: [database('pg', 1), budgetOver('pg', { minAvailable: 1 })] }, async (lab) => {
    const refused = await runUpgrade(lab, { flags, operations: { upgrade } })
    assertEnding(refused, names, {
      code: 77,
      verdicts: ['refused', 'refused', 'refused'],
      reasons: ['drain-would-block'],
    })
    const [why] = refused.finished.failures
    assert.match(why?.detail ?? '', /PodDisruptionBudget default\/pg allows no disruption of default\/pg-0 now/)
    assert.match(why?.hint ?? '', /^kubectl --kubeconfig \S+\/\.run\/kubeconfig -n default get pdb pg$/)
    assert.equal(changesOf(lab.log()), [])
    const allowed = { upgrade, drain: { disableEviction: true } }
    const run = await runUpgrade(lab, { flags, operations: allowed })
    assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    // deleting past a budget is what the person asked for, and what the lab tells of
    assert.equal([...new Set(lab.check().map(({ invariant }) => invariant))], ['budgets-kept'])
  }))

if (inFull)
  test('the instance managers of Longhorn hold a drain up until the volumes are detached', () =>
    withLab(
      { ...wishes, operators: ['longhorn'], workloads: [deployment('web', 2), database('db', 2)] },
      async (lab) => {
        const refused = await runUpgrade(lab, { flags, operations: { upgrade } })
        assert.equal([refused.code, refused.reasons], [77, ['drain-would-block']])
        const run = await runUpgrade(lab, {
          flags,
          operations: { upgrade, drain: { liftedBudgets: ['longhorn-system/*'] } },
        })
        assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
        await assertUpgraded(lab, 'v1.13.9', all)
        const answers = lab
          .log()
          .flatMap((e) => (e.type === 'pod.evicted' && !e.dryRun && e.pod.includes('instance-manager') ? [e.code] : []))
        assert.ok(answers.includes(429) && answers.includes(201), `it never waited for a budget: ${answers}`)
      },
    ))

if (inFull)
  test('the primary of CloudNativePG is waited for until it has handed over, where the policy names its budget', () => {
    const instances = labelled(database('pg', 2), { 'cnpg.io/cluster': 'pg' })
    const role = (name: string) => ({ 'cnpg.io/cluster': 'pg', 'cnpg.io/instanceRole': name })
    const budgets = [
      budgetOver('pg-primary', { minAvailable: 1 }, role('primary')),
      budgetOver('pg', { minAvailable: 0 }, role('replica')),
    ]
    return withLab({ ...wishes, operators: ['cloudnative-pg'], workloads: [instances, ...budgets] }, async (lab) => {
      // until each instance has its role, and is counted by it, two may be primaries, of which one may go
      const counts = ['get', 'pdb', 'pg', 'pg-primary', '--output=jsonpath={.items[*].status.currentHealthy}']
      const hasRoles = async () => (await lab.kubectl(counts)).stdout === '1 1' || undefined
      await eventually(hasRoles, () => 'the budgets do not count a primary and a replica')
      const refused = await runUpgrade(lab, { flags, operations: { upgrade } })
      assert.equal([refused.code, refused.reasons], [77, ['drain-would-block']])
      assert.match(refused.finished.failures[0]?.detail ?? '', 'PodDisruptionBudget default/pg-primary allows no')
      const run = await runUpgrade(lab, { flags, operations: { upgrade, drain: { liftedBudgets: ['*/*-primary'] } } })
      assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
      await assertUpgraded(lab, 'v1.13.9', all)
      const moves = lab.log().filter((e) => e.type === 'primary.moved')
      assert.ok(moves.length > 0, 'no primary ever had to hand over')
      let host = moves[0]?.node
      for (const event of lab.log()) {
        if (event.type === 'primary.moved') host = event.to
        if (event.type === 'machine.down') assert.is.not(event.node, host, 'a node went down with the primary on it')
      }
    })
  })

if (inFull)
  test('two nodes at once wait for each other where a budget is over pods that fit nowhere else', () =>
    withLab(
      { ...wishes, workers: 3, workloads: [database('db', 3), budgetOver('db', { minAvailable: 2 })] },
      async (lab) => {
        // the database alone: where another pod can leave, all of them are evicted anyway
        await lab.kubectl(['scale', 'deployment/coredns', '--namespace=kube-system', '--replicas=0'])
        const dns = ['pod', '--selector=k8s-app=kube-dns', '--namespace=kube-system']
        await lab.kubectl(['wait', ...dns, '--for=delete', '--timeout=120s'])
        const run = await runUpgrade(lab, { flags, operations: { upgrade: { ...upgrade, maxUnavailable: 2 } } })
        assert.equal([run.code, run.reasons], [0, []], run.stderr)
        await assertUpgraded(lab, 'v1.13.9', { ...all, 'worker-3': once })
        const down = new Set<string>()
        for (const event of lab.log()) {
          if (event.type === 'machine.down') down.add(event.node)
          if (event.type === 'machine.ready') down.delete(event.node)
          assert.ok(down.size <= 1, `${[...down].join(' and ')} were down together`)
        }
      },
    ))

if (inFull)
  test('gates are tried before anything is changed, and hold after each return; a bare pod and --keep-going are choices', () =>
    withLab({ ...wishes, workloads: [deployment('web', 2)] }, async (lab) => {
      const available = { name: 'web serves', resource: 'deployment/web', namespace: 'default', timeout: '30s' }
      const gates: [gate: object, code: number, reason: FailureReason, says: RegExp][] = [
        [
          { name: 'typo', resource: 'cephcluster/rook', for: 'condition=Ready' },
          65,
          'gate-wrong',
          /the gate "typo" can not be evaluated: .*resource type "cephcluster"/,
        ],
        [
          { ...available, for: 'jsonpath={.status.readyReplicas}=7' },
          77,
          'gate-unmet',
          /the gate "web serves" does not hold before anything is changed/,
        ],
      ]
      for (const [gate, code, reason, says] of gates) {
        const run = await runUpgrade(lab, { flags, operations: { upgrade, gates: [gate] } })
        assert.equal([run.code, run.reasons], [code, [reason]])
        assert.match(run.finished.failures[0]?.detail ?? '', says)
      }
      await lab.kubectl(['run', 'bare', '--image=bare:1', '--overrides={"spec":{"nodeName":"worker-2"}}'])
      await lab.kubectl(['wait', '--for=condition=Ready', 'pod/bare', '--timeout=120s'])
      const bare = await runUpgrade(lab, { flags, operations: { upgrade, gates: [] } })
      assert.equal([bare.code, bare.reasons], [77, ['drain-would-block']])
      assert.match(bare.finished.failures[0]?.detail ?? '', 'default/bare has no controller')
      assert.equal(changesOf(lab.log()), [])

      await lab.fault({ name: 'never-returns', node: 'worker-1' })
      const policy = { upgrade, drain: { force: true }, gates: [{ ...available, for: 'condition=Available' }] }
      const run = await runUpgrade(lab, {
        flags: [...flags, '--keep-going'],
        operations: policy,
        // the others are back within it on any machine
        deadlines: { reboot: '30s' },
      })
      assertEnding(run, names, {
        code: 1,
        verdicts: ['upgraded', 'unreachable', 'upgraded'],
        reasons: ['never-returned'],
      })
      const passed = run.events.filter((e) => e.type === 'step.finished' && e.step === 'pass-gates')
      assert.equal(passed.map((e) => ('node' in e ? e.node : '')).sort(), ['k8s-1', 'worker-2'])
      assert.match((await lab.kubectl(['get', 'pod', 'bare'])).stderr, 'not found')
      await lab.cure()
      await untilWell(lab)
      const last = await runUpgrade(lab, { flags, operations: policy })
      assert.equal([last.code, last.reasons], [0, []], last.stderr)
      await assertUpgraded(lab, 'v1.13.9', all)
    }))

test('a crash-looping pod and missing roles are told by name, and with what is printed about them the upgrade ends well', () => {
  const crash = [crashing(deployment('crash', 1)), budgetOver('crash', { maxUnavailable: 1 })]
  return withLab({ ...wishes, workloads: [deployment('web', 2)] }, async (lab) => {
    for (const object of crash) await lab.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(object) })
    const counted = async () => {
      const { stdout } = await lab.kubectl(['get', 'pods,pdb', '--output=json'])
      return stdout.includes('"CrashLoopBackOff"') && stdout.includes('"expectedPods": 1') ? stdout : undefined
    }
    await eventually(counted, () => 'the pod does not crash, or its budget does not count it')
    const [unwell] = await failuresOf(lab, 77)
    assert.match(
      unwell?.detail ?? '',
      /allows no disruption of default\/crash-\S+ now \(Deployment crash: 0 of 1 healthy, 0 needed\); the pod is unwell itself \(CrashLoopBackOff\)/,
    )
    await typeHint(lab, unwell?.hint ?? '')
    assert.equal(changesOf(lab.log()), [])

    // somebody who may do nothing: the Lease is asked for first, and all the rest is told with it
    await useServiceAccount(lab, 'ops', 'ci')
    const [why] = await failuresOf(lab, 69)
    assert.match(
      why?.detail ?? '',
      /^no Lease can be kept in kube-system, .* user system:serviceaccount:ops:ci may not get leases.*; in all, .* list nodes/,
    )
    for (const kind of ['Role', 'ClusterRole']) assert.match(why?.manifest ?? '', new RegExp(`kind: ${kind}$`, 'm'))
    const all = await lab.kubectl(['apply', '-f', '-'], { stdin: why?.manifest ?? '' })
    assert.is(all.code, 0, all.stderr)
    const lacking = await lab.kubectl([
      'patch',
      'clusterrole',
      'talos-workflows',
      '--type=json',
      '-p',
      withoutEvictions,
    ])
    assert.is(lacking.code, 0, lacking.stderr)
    const [early] = await failuresOf(lab, 69)
    assert.match(early?.detail ?? '', /may not create pods\/eviction$/)
    assert.equal(changesOf(lab.log()), [], 'it is known before anything is changed')
    const applied = await lab.kubectl(['apply', '-f', '-'], { stdin: early?.manifest ?? '' })
    assert.is(applied.code, 0, applied.stderr)

    // those rights are enough, and neither file has to lie beside the declaration
    const given = ['talosconfig', 'kubeconfig'].map((name) => {
      const [from, elsewhere] = [join(lab.clusterDir, name), join(lab.dir, `given ${name}`)]
      copyFileSync(from, elsewhere)
      rmSync(from)
      return [`--${name}`, elsewhere]
    })
    const run = await runUpgrade(lab, { flags: [...given.flat(), '--nodes', 'worker-1'], operations: { upgrade } })
    assertEnding(run, ['worker-1'], { code: 0, verdicts: ['upgraded'], reasons: [] })
    const nobody = run.events.filter((event) => event.type === 'notice' && event.text.includes('Kubernetes'))
    assert.equal(nobody, [], 'it kept its Lease, and marked its Node')
    assert.equal(lab.check(), [])
  })
})

/** Why a run ends with that code, without having begun anything. */
async function failuresOf(lab: TestLab, code: number): Promise<readonly Failure[]> {
  const run = await runUpgrade(lab, { flags, operations: { upgrade } })
  assert.is(run.code, code, JSON.stringify(run.finished, null, 2))
  return run.finished.failures
}

/** The person's own kubeconfig is that of an account without any role. */
async function useServiceAccount(lab: TestLab, namespace: string, name: string): Promise<void> {
  await lab.kubectl(['create', 'namespace', namespace])
  await lab.kubectl(['create', 'serviceaccount', name, `--namespace=${namespace}`])
  const token = await lab.kubectl(['create', 'token', name, `--namespace=${namespace}`, '--duration=2h'])
  assert.is(token.code, 0, token.stderr)
  const config = JSON.parse((await lab.kubectl(['config', 'view', '--raw', '--output=json'])).stdout)
  config.users[0].user = { token: token.stdout.trim() }
  writeFileSync(join(lab.clusterDir, 'kubeconfig'), JSON.stringify(config), { mode: 0o600 })
}

/** The third rule is that of evictions. */
const withoutEvictions = JSON.stringify([{ op: 'remove', path: '/rules/2' }])

test.run()
