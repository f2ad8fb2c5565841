// limit: 600 s
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import { dieWhenLogged, finishAndJudge, journalOf, oneDone, reportOf } from '../support/crash.ts'
import { startLab } from '../support/lab.ts'
import { startEntry } from '../support/run-entry.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

test('--abandon closes a run that was killed in a drain, leaves nobody cordoned, and does nothing else', async () => {
  const lab = await startLab({
    versions: oneDone,
    kubernetes: true,
    workloads: [deployment('web', 3), budgetOver('web', { minAvailable: 2 }), database('db', 3)],
    speed: 40,
    timings: { stopSeconds: 20 },
  })
  try {
    writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))
    await dieWhenLogged(lab, { step: 'drain', fits: (e) => e.type === 'pod.evicted' && e.code === 201 })
    const from = lab.log().length
    const abandons = startEntry(lab, { flags: ['--abandon', '--output', 'json'] })
    const { code, stderr } = await abandons.closed
    assert.is(code, 0, stderr)
    const said = abandons.events().flatMap((event) => (event.type === 'notice' ? [event.text] : []))
    const [node = ''] = lab.log().flatMap((event) => (event.type === 'node.cordoned' ? [event.node] : []))
    assert.ok(
      said.some((text) =>
        new RegExp(`^abandoned \\S+, because --abandon says so: begun and not seen to end: ${node} drain$`).test(text),
      ),
      JSON.stringify(said),
    )
    const end = journalOf(lab).at(-1)
    assert.is(end?.type === 'end' && end.how, 'abandoned')
    const since = lab.log().slice(from)
    assert.equal(
      since.flatMap((event) => (event.type === 'node.uncordoned' ? [event.node] : [])),
      [node],
    )
    const changes = ['install.started', 'reboot.requested', 'node.cordoned', 'image.pulled']
    assert.equal(
      since.filter(({ type }) => changes.includes(type)),
      [],
    )

    const again = startEntry(lab, { flags: ['--abandon', '--output', 'json'] })
    assert.is((await again.closed).code, 0)
    assert.ok(again.events().some((event) => event.type === 'notice' && /no run is unfinished/.test(event.text)))

    await finishAndJudge(lab, 'a run was abandoned', { done: oneDone })
    assert.not.ok(reportOf(lab).resumed)
  } finally {
    await lab.down()
  }
})

test.run()
