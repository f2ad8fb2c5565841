// limit: 1200 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { dieWhenLogged, finishAndJudge, journalOf, oneDone, reportOf } from '../support/crash.ts'
import { startLab } from '../support/lab.ts'

/** The change that the lab has logged, and the step whose outcome the journal must not hold yet. */
type Window = { change: string; step: string; version: string; fits: (event: LoggedEvent) => boolean }

const rpc = (method: string) => (event: LoggedEvent) =>
  event.type === 'rpc' && event.method.endsWith(method) && event.code === 'OK'
const type = (name: LoggedEvent['type']) => (event: LoggedEvent) => event.type === name

const WINDOWS: Window[] = [
  { change: 'a node pulled the installer', step: 'pull-image', version: 'v1.13.5', fits: type('pull.finished') },
  { change: 'etcd streamed its snapshot', step: 'snapshot-etcd', version: 'v1.13.5', fits: rpc('/EtcdSnapshot') },
  { change: 'a node began to install', step: 'install', version: 'v1.13.5', fits: type('install.started') },
  { change: 'a node finished its installation', step: 'install', version: 'v1.13.5', fits: type('install.finished') },
  { change: 'a node was asked to reboot', step: 'reboot', version: 'v1.13.5', fits: type('reboot.requested') },
  { change: 'a node went down', step: 'reboot', version: 'v1.13.5', fits: type('machine.down') },
  {
    change: 'a node came back with the new version',
    step: 'reboot',
    version: 'v1.13.5',
    fits: type('machine.booting'),
  },
  { change: 'a node below 1.13 began to install', step: 'upgrade', version: 'v1.12.9', fits: type('install.started') },
  {
    change: 'a node below 1.13 rebooted by itself',
    step: 'upgrade',
    version: 'v1.12.9',
    fits: type('reboot.requested'),
  },
]

for (const { change, step, version, fits } of WINDOWS) {
  test(`finishes what it had begun when killed just after ${change}`, async () => {
    const lab = await startLab({
      version,
      versions: oneDone,
      speed: 40,
      timings: { installSeconds: 30, pullSeconds: 15, stopSeconds: 20 },
    })
    try {
      await dieWhenLogged(lab, { step, fits })
      const records = journalOf(lab)
      assert.ok(
        records.some((r) => r.type === 'intent' && r.step === step),
        `${step} was not begun`,
      )
      assert.not.ok(
        records.some((r) => r.type === 'outcome' && r.path.endsWith(`/${step}`)),
        `${step} was recorded as ended`,
      )
      await finishAndJudge(lab, change, oneDone)
      assert.ok(reportOf(lab).resumed)
    } finally {
      await lab.down()
    }
  })
}

test.run()
