// limit: 400 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startLab, type TestLab } from '../support/lab.ts'
import { assertUpgraded, changesOf } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

const names = ['k8s-1', 'worker-1', 'worker-2'] as const
const flags = ['--accept-etcd-outage']
const upgrade = { soak: '500ms' }
const once = [1, 1] as const
const all = Object.fromEntries(names.map((name) => [name, once]))
const wishes = { kubernetes: true, controlPlanes: 1, workers: 2, speed: 40 }

async function withLab(more: object, use: (lab: TestLab) => Promise<void>): Promise<void> {
  const lab = await startLab({ ...wishes, ...more })
  try {
    await use(lab)
  } finally {
    await lab.down()
  }
}

test('the single primary of a database is refused by the name of its budget, until the policy says otherwise', () =>
  withLab({ workloads: [database('pg', 1), budgetOver('pg', { minAvailable: 1 })] }, async (lab) => {
    const refused = await runUpgrade(lab, { flags, operations: { upgrade } })
    assertEnding(refused, names, {
      code: 77,
      verdicts: ['refused', 'refused', 'refused'],
      reasons: ['drain-would-block'],
    })
    const [why] = refused.finished.failures
    assert.match(why?.detail ?? '', /PodDisruptionBudget default\/pg allows no disruption of default\/pg-0 now/)
    assert.is(why?.hint, 'kubectl -n default get pdb pg')
    assert.equal(changesOf(lab.log()), [])
    const allowed = { upgrade, drain: { disableEviction: true } }
    const run = await runUpgrade(lab, { flags, operations: allowed })
    assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    // deleting past a budget is what the person asked for, and what the lab tells of
    assert.equal([...new Set(lab.check().map(({ invariant }) => invariant))], ['budgets-kept'])
  }))

test('the instance managers of Longhorn hold a drain up until the volumes are detached', () =>
  withLab({ operators: ['longhorn'], workloads: [deployment('web', 2), database('db', 2)] }, async (lab) => {
    const refused = await runUpgrade(lab, { flags, operations: { upgrade } })
    assert.equal([refused.code, refused.reasons], [77, ['drain-would-block']])
    const run = await runUpgrade(lab, { flags, operations: { upgrade, drain: { whenBlocked: 'try' } } })
    assertEnding(run, names, { code: 0, verdicts: ['upgraded', 'upgraded', 'upgraded'], reasons: [] })
    await assertUpgraded(lab, 'v1.13.9', all)
    const put = lab.log().filter((e) => e.type === 'pod.evicted' && !e.dryRun && e.pod.includes('instance-manager'))
    assert.ok(
      put.some((e) => e.type === 'pod.evicted' && e.code === 429) &&
        put.some((e) => e.type === 'pod.evicted' && e.code === 201),
      'it never waited for a budget',
    )
  }))

test.run()
