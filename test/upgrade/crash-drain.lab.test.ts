// limit: 1200 s
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { dieAfterOutcome, dieWhenLogged, finishAndJudge, journalOf, oneDone, reportOf } from '../support/crash.ts'
import { startLab } from '../support/lab.ts'
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

for (const { change, step, fits } of windows) {
  test(`leaves nobody cordoned and evicts nobody twice when killed just after ${change}`, async () => {
    const lab = await startLab({
      versions: oneDone,
      kubernetes: true,
      workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)],
      speed: 40,
      timings: { stopSeconds: 20 },
    })
    try {
      writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))
      await dieWhenLogged(lab, { step, fits })
      const records = journalOf(lab)
      const ended = records.some((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`))
      assert.not.ok(ended, `${step} was recorded as ended`)
      await finishAndJudge(lab, change, oneDone)
      assert.ok(reportOf(lab).resumed)
    } finally {
      await lab.down()
    }
  })
}

test('installs each node once, from 1.13 and from 1.14.0 to 1.14.1, killed in each installation and right after it', async () => {
  const done = { 'k8s-1': 'v1.14.1' }
  const lab = await startLab({
    version: 'v1.13.9',
    target: 'v1.14.1',
    versions: { ...done, 'k8s-2': 'v1.14.0' },
    kubernetes: true,
    workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)],
    speed: 40,
  })
  try {
    writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))
    // one node first, and the other when that one is verified
    for (const step of ['turn/install', 'install/install']) {
      await dieWhenLogged(lab, { step: 'install', fits: type('install.started') })
      await dieAfterOutcome(lab, step)
      const installed = journalOf(lab).filter((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`))
      assert.is(installed.length, 1)
    }
    await finishAndJudge(lab, 'killed four times', done)
    assert.ok(reportOf(lab).resumed)
    const { nodes = [] } = await lab.status()
    assert.equal(new Set(nodes.map(({ version }) => version)), new Set(['v1.14.1']))
  } finally {
    await lab.down()
  }
})

test.run()
