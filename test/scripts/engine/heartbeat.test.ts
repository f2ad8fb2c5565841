import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startHeartbeat } from '../../../scripts/engine/heartbeat.ts'

/** A heartbeat on clocks that only the test moves. */
function onClocks() {
  const now = { monotonic: 0, wall: 1_700_000_000_000 }
  const heartbeat = startHeartbeat({ monotonicMs: () => now.monotonic, wallMs: () => now.wall }, 1)
  const pass = (monotonic: number, wall: number) => {
    now.monotonic += monotonic
    now.wall += wall
    return heartbeat.sleeps()
  }
  return { heartbeat, pass }
}

test('finds no sleep in a process that beats', () => {
  const { heartbeat, pass } = onClocks()
  for (let beat = 0; beat < 100; beat++) assert.is(pass(30_000, 30_000), 0)
  heartbeat.stop()
})

const SLEEPS: [what: string, monotonic: number, wall: number][] = [
  ['a process that was stopped for more than a minute', 61_000, 61_000],
  ['a machine that was suspended, whose monotonic clock stood still', 100, 3_600_000],
  ['a machine that was restored with the clock of an earlier day', 100, -86_400_000],
  ['a machine whose clock was put right only later', 3_600_000, 100],
]

for (const [what, monotonic, wall] of SLEEPS) {
  test(`finds ${what}, once`, async () => {
    const { heartbeat, pass } = onClocks()
    const woken = heartbeat.nextSleep()
    assert.is(pass(monotonic, wall), 1)
    await woken
    assert.is(pass(1_000, 1_000), 1)
    heartbeat.stop()
  })
}

test.run()
