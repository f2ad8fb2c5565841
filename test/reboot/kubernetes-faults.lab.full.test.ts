// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLab, type TestLab } from '../support/lab.ts'
import { loadAnew } from '../support/load-anew.ts'
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

for (const row of OF_KUBERNETES)
  test(row.title, async () => {
    await loadAnew(lab)
    await meetInReboot(lab, row)
    assert.equal(await lab.cordoned(), [], 'nobody is left cordoned')
  })

test.run()
