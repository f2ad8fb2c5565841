// limit: 600 s
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { dieAfterOutcome, dieWhenLogged, finishAndJudge, journalOf, reportOf } from '../support/crash.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { loadAnew } from '../support/load-anew.ts'
import { withLab } from '../support/with-lab.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

/** The change that the lab has logged, and the step whose outcome the journal must not hold yet. */
type Window = { change: string; step: string; fits: (event: LoggedEvent) => boolean }

const type = (name: LoggedEvent['type']) => (event: LoggedEvent) => event.type === name

const windows: Window[] = [
  { change: 'a node was cordoned', step: 'cordon', fits: type('node.cordoned') },
  { change: 'a pod was evicted', step: 'drain', fits: (e) => e.type === 'pod.evicted' && e.code === 201 },
  { change: 'the evicted pods had ended', step: 'drain', fits: type('volume.detached') },
  { change: 'a drained node was asked to reboot', step: 'reboot', fits: type('reboot.requested') },
  { change: 'a drained node was ready again', step: 'settle', fits: type('machine.ready') },
  { change: 'a node was uncordoned', step: 'uncordon', fits: type('node.uncordoned') },
]

const wishes = {
  kubernetes: true,
  workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)],
  speed: 40,
}
const soakShortly = (lab: TestLab) =>
  writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))

const test = suite('killed in the drain of two nodes, on their way to the next patch')
let lab: TestLab
test.before(async () => {
  lab = await startLab({ ...wishes, version: 'v1.13.2', timings: { stopSeconds: 20 } })
  soakShortly(lab)
})
test.after(() => lab.down())

for (const [index, { change, step, fits }] of windows.entries()) {
  test(`leaves nobody cordoned and evicts nobody twice when killed just after ${change}`, async () => {
    await loadAnew(lab)
    const from = lab.log().length
    const wish = ['--nodes', 'k8s-2,k8s-3', '--to', `v1.13.${index + 3}`]
    await dieWhenLogged(lab, { step, fits, wish })
    const ended = journalOf(lab).some((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`))
    assert.not.ok(ended, `${step} was recorded as ended`)
    await finishAndJudge(lab, change, { done: { 'k8s-1': true }, wish, from })
    assert.ok(reportOf(lab).resumed)
  })
}

const across = suite('killed in installations')

across(
  'installs each node once, from 1.13 and from 1.14.0 to 1.14.1, killed in each installation and right after it',
  () => {
    const done = { 'k8s-1': 'v1.14.1' }
    const versions = { ...done, 'k8s-2': 'v1.14.0' }
    return withLab({ ...wishes, version: 'v1.13.9', target: 'v1.14.1', versions }, async (mixed) => {
      soakShortly(mixed)
      // one node first, and the other when that one is verified
      for (const step of ['turn/install', 'install/install']) {
        await dieWhenLogged(mixed, { step: 'install', fits: type('install.started') })
        await dieAfterOutcome(mixed, step)
        const installed = journalOf(mixed).filter((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`))
        assert.is(installed.length, 1)
      }
      await finishAndJudge(mixed, 'killed four times', { done })
      assert.ok(reportOf(mixed).resumed)
      const { nodes = [] } = await mixed.status()
      assert.equal(new Set(nodes.map(({ version }) => version)), new Set(['v1.14.1']))
    })
  },
)

test.run()
across.run()
