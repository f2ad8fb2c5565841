// limit: 600 s
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import { dieWhenLogged, finishAndJudge, reportOf } from '../support/crash.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { assertUpgraded, cordonedIn } from '../support/lab-changes.ts'
import { assertEnding, runUpgrade } from '../support/upgrade-run.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

const test = suite('nodes that are reached through endpoints only')

const names = ['k8s-1', 'k8s-2', 'k8s-3', 'worker-1', 'worker-2']
let lab: TestLab

test.before(async () => {
  lab = await startLab({
    controlPlanes: 3,
    workers: 2,
    kubernetes: true,
    workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 2)],
    speed: 40,
    timings: { stopSeconds: 20 },
  })
  writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))
})
test.after(() => lab?.down())

test('workers behind control planes are drained and upgraded, also by the run that follows a killed one', async () => {
  const workers = ['worker-1', 'worker-2']
  const from = lab.log().length
  for (const node of workers) await lab.fault({ name: 'behind-endpoints', node })
  // the canary is a worker
  await dieWhenLogged(lab, { step: 'reboot', fits: (event) => event.type === 'reboot.requested' })
  await finishAndJudge(lab, 'killed while a worker reboots')
  assert.ok(reportOf(lab).resumed)
  await assertUpgraded(lab, 'v1.13.9', Object.fromEntries(names.map((name) => [name, [1, 1]])))
  const log = lab.log().slice(from)
  assert.equal(cordonedIn(log), names)
  const own = workers.map((node) => lab.addresses[node] ?? '')
  const direct = log.filter((e) => e.type === 'rpc' && workers.includes(e.node) && own.includes(e.endpoint))
  assert.equal(direct, [], 'no worker was asked directly')
})

async function isUpgradedThroughOne(): Promise<void> {
  for (const node of names) if (node !== 'k8s-1') await lab.fault({ name: 'proxy-resets', node })
  const run = await runUpgrade(lab, { flags: ['--to', 'v1.13.10'] })
  assertEnding(run, names, { code: 0, verdicts: names.map(() => 'upgraded'), reasons: [] })
  await assertUpgraded(lab, 'v1.13.10', Object.fromEntries(names.map((name) => [name, [2, 2]])))
}

if (inFull)
  test('so is a cluster with one public endpoint, beside which a proxy resets what goes past it', isUpgradedThroughOne)

test.run()
