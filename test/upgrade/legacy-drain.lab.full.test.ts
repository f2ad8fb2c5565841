// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { TestLab } from '../support/lab.ts'
import { assertUpgraded } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { withLab } from '../support/with-lab.ts'
import { budgetOver, daemon, database, deployment } from '../support/workloads.ts'

// below 1.13 Talos drains its node in the call that upgrades it
const wishes = { kubernetes: true, version: 'v1.12.9', target: 'v1.13.9', kubernetesVersion: 'v1.35.4', speed: 40 }
const upgrade = { soak: '500ms' }
const once = [1, 1] as const

/** How the API server answered the evictions that Talos itself asked for: those between a node's upgrade and its reboot. */
function answersToTalos(lab: TestLab): number[] {
  const upgrading = new Set<string>()
  return lab.log().flatMap((event) => {
    if (event.type === 'reboot.requested' && event.by === 'upgrade') upgrading.add(event.node)
    if (event.type === 'machine.down') upgrading.delete(event.node)
    return event.type === 'pod.evicted' && !event.dryRun && upgrading.has(event.node) ? [event.code] : []
  })
}

test('Talos finds nothing to evict after our drain, and lifts no cordon but its own', () =>
  withLab(
    {
      ...wishes,
      workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3), daemon('agent')],
    },
    async (lab) => {
      const names = ['k8s-1', 'k8s-2', 'k8s-3']
      await lab.fault({ name: 'foreign-cordon', node: 'k8s-2' })
      const run = await runUpgrade(lab, { operations: { upgrade } })
      assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
      assert.equal(answersToTalos(lab), [])
      assert.ok(lab.log().some((event) => event.type === 'pod.evicted' && event.code === 201 && !event.dryRun))
      assert.equal(await lab.cordoned(), ['k8s-2'], 'the cordon of somebody else stays, and is the only one')
      await assertUpgraded(lab, wishes.target, { 'k8s-1': once, 'k8s-2': once, 'k8s-3': once })
    },
  ))

test('Where drains are switched off Talos evicts by itself, which the plan says, and no node stays cordoned', () =>
  withLab(
    {
      ...wishes,
      controlPlanes: 1,
      workers: 2,
      workloads: [deployment('web', 4), deployment('api', 2), budgetOver('api', { minAvailable: 2 })],
    },
    async (lab) => {
      const names = ['k8s-1', 'worker-1', 'worker-2']
      const flags = ['--accept-etcd-outage', '--skip-drain']
      const run = await runUpgrade(lab, { flags, operations: { upgrade } })
      assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
      const notes = run.events.flatMap((event) => (event.type === 'run.started' ? event.plan.notes : []))
      assert.ok(
        notes.some((note) => /Talos below 1\.13 evicts pods by itself .*: k8s-1, worker-1, worker-2$/.test(note)),
        notes.join('\n'),
      )
      const answers = answersToTalos(lab)
      assert.ok(answers.includes(201) && answers.includes(429), `evictions were answered: ${answers}`)
      assert.equal(await lab.cordoned(), [])
      const byTalos = lab.log().filter((event) => event.type === 'node.cordoned' && event.run === undefined)
      assert.is(byTalos.length, 3)
    },
  ))

test.run()
