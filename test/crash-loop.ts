/**
 * `npm run test:crash [-- <from> [<to>]]`: kills a whole upgrade of a lab's cluster after every single record of its
 * journal, each time in a fresh lab, types the command again and judges what both runs did. Takes about an hour.
 * The last line is `N passed, N failed`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { dieAfterRecord, finishAndJudge } from './support/crash.ts'
import { startLab } from './support/lab.ts'
import { budgetOver, database, deployment } from './support/workloads.ts'

const [from = 1, to = Number.POSITIVE_INFINITY] = process.argv.slice(2).map(Number)
const say = (line: string) => void process.stdout.write(`${line}\n`)

let passed = 0
let failed = 0
for (let record = from, died = true; died && record <= to; record++) {
  const startedAt = Date.now()
  const lab = await startLab({
    kubernetes: true,
    workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)],
    speed: 100,
    timings: { stopSeconds: 100, rebootSeconds: 100 },
  })
  writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '500ms' } }))
  try {
    died = await dieAfterRecord(lab, record)
    if (!died) break
    await finishAndJudge(lab, `killed after record ${record}`)
    passed++
    say(
      `ok   killed after record ${record}, finished by the next run (${Math.round((Date.now() - startedAt) / 1000)} s)`,
    )
  } catch (error) {
    failed++
    say(`FAIL killed after record ${record}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await lab.down()
  }
}
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
