// limit: 600 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FaultName, faultCatalogue } from '../../lab/fault-catalogue.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { meetInReboot, OF_KUBERNETES, OF_TALOS } from '../support/reboot-faults.ts'

const test = suite('faults of Talos in a reboot')
let lab: TestLab

test.before(async () => {
  lab = await startLab({ speed: 100 })
})
test.after(() => lab.down())

for (const row of OF_TALOS) test(row.title, () => meetInReboot(lab, row))

/** Faults of what comes before a turn, or of a version that never ran. */
const OF_AN_IMAGE: FaultName[] = [
  ...(['image-pull-fails', 'image-pull-hangs', 'image-refused', 'install-fails', 'installer-dies'] as const),
  'boots-back-to-old-version',
]

test('the catalogue has no other fault that a node can meet in its turn', () => {
  const met = [...OF_TALOS, ...OF_KUBERNETES].flatMap(({ faults }) => faults.map(({ name }) => name))
  const all = Object.keys(faultCatalogue) as FaultName[]
  assert.equal(
    all.filter((name) => !met.includes(name) && !OF_AN_IMAGE.includes(name)),
    [],
  )
})

test.run()
