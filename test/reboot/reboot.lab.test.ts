// limit: 600 s
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import { dieAfterIntent, dieWhenLogged, reportOf } from '../support/crash.ts'
import { inFull } from '../support/in-full.ts'
import type { TestLab } from '../support/lab.ts'
import { changesOf, untilWell } from '../support/lab-changes.ts'
import { meetInReboot, OF_KUBERNETES, OF_TALOS } from '../support/reboot-faults.ts'
import { assertEnding, runVerb } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

const entry = 'reboot'

const bootIdsOf = async (lab: TestLab): Promise<Record<string, string>> =>
  Object.fromEntries(((await lab.status()).nodes ?? []).map(({ name, bootId }) => [name, bootId]))

test('reboots each of three control planes and two workers once, killed in a drain, before a request, and in settle', async () => {
  const wishes = {
    ...{ controlPlanes: 3, workers: 2, kubernetes: true, speed: 40, timings: { stopSeconds: 20 } },
    workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 2)],
  }
  await withLab(wishes, async (lab) => {
    // as the last run finds it, too: what is declared otherwise is another run
    const operations = { upgrade: { soak: '1s' }, deadlines: { observe: '60s' } }
    writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify(operations))
    const before = await bootIdsOf(lab)
    await dieWhenLogged(lab, { entry, step: 'drain', fits: (e) => e.type === 'pod.evicted' && e.code === 201 })
    await dieAfterIntent(lab, 'reboot', [], entry)
    await dieWhenLogged(lab, { entry, step: 'settle', fits: ({ type }) => type === 'machine.ready' })
    const names = Object.keys(lab.addresses)
    const last = await runVerb(entry, lab)
    assertEnding(last, names, { code: 0, verdicts: names.map(() => 'rebooted'), reasons: [] })
    assert.ok(reportOf(lab).resumed)
    const after = await bootIdsOf(lab)
    assert.equal(
      names.filter((name) => after[name] === before[name]),
      [],
      'boot ids that are the old ones',
    )
    assert.equal(changesOf(lab.log()).sort(), names.map((name) => `reboot ${name}`).sort())
    assert.equal(await lab.cordoned(), [])
    assert.equal(lab.check(), [])
    // two of all the faults that npm run test:full meets
    for (const { title, ...row } of [...OF_TALOS, ...OF_KUBERNETES])
      if (['etcd-alarm-nospace is refused', 'pod-hangs is refused before anything changes'].includes(title))
        await meetInReboot(lab, { title, ...row })
  })
})

async function keepsToTheGates(): Promise<void> {
  await withLab({ speed: 100 }, async (lab) => {
    const names = Object.keys(lab.addresses)
    const deadlines = { observe: '10s', ready: '6s' }
    await lab.fault({ name: 'etcd-member-down', node: 'k8s-2' })
    const gated = ['k8s-1', 'k8s-3']
    for (const mode of ['default', 'force']) {
      const run = await runVerb(entry, lab, { deadlines, flags: ['--nodes', gated.join(','), '--mode', mode] })
      const reasons = ['control-plane-not-ready', 'etcd-member-unhealthy', 'etcd-quorum'] as const
      assertEnding(run, gated, { code: 77, verdicts: ['refused', 'refused'], reasons })
      assert.equal(changesOf(lab.log()), [])
    }
    await lab.cure()
    await untilWell(lab)

    for (const node of names) await lab.fault({ name: 'returns-not-ready', node })
    const stuck = await runVerb(entry, lab, { deadlines })
    assertEnding(stuck, stuck.order, {
      code: 1,
      verdicts: ['stuck', 'unchanged', 'unchanged'],
      reasons: ['never-ready'],
    })
    assert.equal(changesOf(lab.log()), [`reboot ${stuck.order[0]}`])
    await lab.cure()
    await untilWell(lab)

    const forced = await runVerb(entry, lab, { flags: ['--mode', 'force'] })
    assertEnding(forced, names, { code: 0, verdicts: ['rebooted', 'rebooted', 'rebooted'], reasons: [] })
    const cycled = await runVerb(entry, lab, { flags: ['--nodes', 'k8s-2', '--mode', 'powercycle'] })
    assertEnding(cycled, ['k8s-2'], { code: 0, verdicts: ['rebooted'], reasons: [] })
    assert.equal(
      lab.log().flatMap((e) => (e.type === 'reboot.requested' ? [e.mode] : [])),
      ['DEFAULT', 'FORCE', 'FORCE', 'FORCE', 'POWERCYCLE'],
      'what was really asked of the machines',
    )
    assert.equal(lab.check(), [])
  })
}

if (inFull)
  test(
    'keeps to the gates whatever the mode, stops at a node that does not get well, and asks for the mode that was wished',
    keepsToTheGates,
  )

test.run()
