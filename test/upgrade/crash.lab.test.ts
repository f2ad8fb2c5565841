// limit: 600 s
import { type Context, type Test as Suite, suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { dieWhenLogged, finishAndJudge, journalOf, reportOf } from '../support/crash.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'

/** The change that the lab has logged, and the step whose outcome the journal must not hold yet. */
type Window = { change: string; step: string; fits: (event: LoggedEvent) => boolean; quick?: true }

const rpc = (method: string) => (event: LoggedEvent) =>
  event.type === 'rpc' && event.method.endsWith(method) && event.code === 'OK'
const type = (name: LoggedEvent['type']) => (event: LoggedEvent) => event.type === name

const windows: Readonly<Record<string, readonly Window[]>> = {
  'v1.13': [
    { change: 'a node pulled the installer', step: 'pull-image', fits: type('pull.finished') },
    { change: 'etcd streamed its snapshot', step: 'snapshot-etcd', fits: rpc('/EtcdSnapshot') },
    { change: 'a node began to install', step: 'install', fits: type('install.started'), quick: true },
    { change: 'a node finished its installation', step: 'install', fits: type('install.finished') },
    { change: 'a node was asked to reboot', step: 'reboot', fits: type('reboot.requested'), quick: true },
    { change: 'a node went down', step: 'reboot', fits: type('machine.down') },
    { change: 'a node came back with the new version', step: 'reboot', fits: type('machine.booting') },
  ],
  'v1.12': [
    { change: 'a node below 1.13 began to install', step: 'upgrade', fits: type('install.started') },
    { change: 'a node below 1.13 rebooted by itself', step: 'upgrade', fits: type('reboot.requested') },
  ],
}

for (const [minor, rows] of Object.entries(windows)) {
  const test: Suite<Context> = suite(`killed on the way of two nodes to the next patch of ${minor}`)
  let lab: TestLab
  test.before(async () => {
    const timings = { installSeconds: 30, pullSeconds: 15, stopSeconds: 20 }
    // the newest that both minors support
    lab = await startLab({ version: `${minor}.2`, kubernetesVersion: 'v1.35.4', speed: 40, timings })
  })
  test.after(() => lab.down())
  const own = rows.filter(({ quick }) => inFull || quick)
  for (const [index, { change, step, fits }] of own.entries()) {
    test(`finishes what it had begun when killed just after ${change}`, async () => {
      const from = lab.log().length
      // two are enough for one that dies and one that comes after it
      const wish = ['--nodes', 'k8s-2,k8s-3', '--to', `${minor}.${index + 3}`]
      await dieWhenLogged(lab, { step, fits, wish })
      const records = journalOf(lab)
      assert.ok(
        records.some((r) => r.type === 'intent' && r.step === step),
        `${step} was not begun`,
      )
      assert.not.ok(
        records.some((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`)),
        `${step} was recorded as ended`,
      )
      await finishAndJudge(lab, change, { done: { 'k8s-1': true }, wish, from })
      assert.ok(reportOf(lab).resumed)
    })
  }
  if (own.length > 0) test.run()
}
