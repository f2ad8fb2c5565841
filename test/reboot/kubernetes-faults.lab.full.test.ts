// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../support/eventually.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { meetInReboot, OF_KUBERNETES } from '../support/reboot-faults.ts'
import { budgetOver, daemon, database, deployment } from '../support/workloads.ts'

const test = suite('faults of Kubernetes in a reboot')
let lab: TestLab

test.before(async () => {
  lab = await startLab({
    kubernetes: true,
    speed: 40,
    workloads: [
      deployment('web', 3),
      budgetOver('web', { minAvailable: 2 }),
      // a replica on each node: the one that is evicted waits for its node
      database('db', 3),
      daemon('agent'),
    ],
  })
})
test.after(() => lab.down())

/** A replica of db runs on each node; what its controller says of them may be older than what was evicted. */
async function isLoaded(): Promise<true | undefined> {
  const ends = '{.items[*].metadata.deletionTimestamp}'
  const ready = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
  const { code, stdout, stderr } = await lab.kubectl([
    'get',
    'pods',
    '--selector=app=db',
    `--output=jsonpath=${ends}${ready}`,
  ])
  assert.is(code, 0, stderr)
  return stdout === 'True True True' || undefined
}

for (const row of OF_KUBERNETES)
  test(row.title, async () => {
    await eventually(isLoaded, () => 'what the row before has moved did not come back')
    await meetInReboot(lab, row)
    assert.equal(await lab.cordoned(), [], 'nobody is left cordoned')
  })

test.run()
