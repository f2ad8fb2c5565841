// limit: 400 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { inFull } from '../support/in-full.ts'
import { assertUpgraded, changesOf, untilWell } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'

const target = 'v1.13.9'
const wishes = { target, speed: 100 }
const accepted = ['--accept-etcd-outage']
const once = [1, 1] as const

for (const version of inFull ? ['v1.13.5', 'v1.12.9'] : ['v1.13.5']) {
  test(`One control plane on ${version} is refused, and upgraded when the outage is accepted`, () =>
    withLab({ ...wishes, version, controlPlanes: 1 }, async (lab) => {
      const first = await runUpgrade(lab)
      assertEnding(first, ['k8s-1'], { code: 77, verdicts: ['refused'], reasons: ['etcd-outage'] })
      assert.match(first.finished.failures[0]?.detail ?? '', 'one member')
      assert.equal(changesOf(lab.log()), [])
      const second = await runUpgrade(lab, { flags: accepted })
      assertEnding(second, ['k8s-1'], { code: 0, verdicts: ['upgraded'], reasons: [] })
      await assertUpgraded(lab, target, { 'k8s-1': once })
    }))

  test(`Two control planes on ${version} are refused, and upgraded when the outage is accepted`, () =>
    withLab({ ...wishes, version, controlPlanes: 2 }, async (lab) => {
      const names = ['k8s-1', 'k8s-2']
      const first = await runUpgrade(lab)
      assertEnding(first, names, { code: 77, verdicts: ['refused', 'refused'], reasons: ['etcd-outage'] })
      assert.match(first.finished.failures[0]?.detail ?? '', 'two members')
      assert.equal(changesOf(lab.log()), [])
      const second = await runUpgrade(lab, { flags: accepted })
      assertEnding(second, names, { code: 0, verdicts: ['upgraded', 'upgraded'], reasons: [] })
      await assertUpgraded(lab, target, { 'k8s-1': once, 'k8s-2': once })
    }))

  test(`One control plane on ${version} with a broken etcd member is cured by the upgrade`, () =>
    withLab({ ...wishes, version, controlPlanes: 1 }, async (lab) => {
      await lab.fault({ name: 'etcd-member-down', node: 'k8s-1' })
      const run = await runUpgrade(lab, { flags: accepted, deadlines: { observe: '10s' } })
      assertEnding(run, ['k8s-1'], { code: 0, verdicts: ['upgraded'], reasons: [] })
      await assertUpgraded(lab, target, { 'k8s-1': once })
    }))
}

test('A node that loses its power after it was verified is not called upgraded at the end', () =>
  withLab({ ...wishes, version: 'v1.13.5', controlPlanes: 1, workers: 1 }, async (lab) => {
    // the worker goes first, and goes dark while the control plane is taken down
    await lab.fault({ name: 'power-cut', node: 'worker-1', seconds: 1_000_000, when: 'k8s-1 down' })
    const names = ['worker-1', 'k8s-1']
    const first = await runUpgrade(lab, { flags: accepted, deadlines: { observe: '10s' } })
    assertEnding(first, names, { code: 1, verdicts: ['unreachable', 'upgraded'], reasons: ['unwell-at-end'] })
    await lab.cure()
    await untilWell(lab)
    const second = await runUpgrade(lab, { flags: accepted })
    assertEnding(second, names, { code: 0, verdicts: ['unchanged', 'unchanged'], reasons: [] })
    await assertUpgraded(lab, target, { 'worker-1': once, 'k8s-1': once })
  }))

test.run()
