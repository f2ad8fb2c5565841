import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Step } from '../../../scripts/engine/driver.ts'
import { type Heartbeat, startHeartbeat } from '../../../scripts/engine/heartbeat.ts'
import { openJournal } from '../../../scripts/engine/journal.ts'
import type { ClusterOutput } from '../../../workflows/machines/cluster.ts'
import type { NodeStepInput } from '../../../workflows/machines/node.ts'
import type { StepName } from '../../../workflows/model/step-name.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'

const test = suite<{ folder: string; heartbeat: Heartbeat; clocks: typeof start }>('a process that slept')
const start = { monotonic: 0, wall: 1_700_000_000_000 }
test.before.each((context) => {
  const clocks = { ...start }
  context.clocks = clocks
  context.heartbeat = startHeartbeat({ monotonicMs: () => clocks.monotonic, wallMs: () => clocks.wall }, 1)
  context.folder = mkdtempSync(join(tmpdir(), 'sleep-'))
})
test.after.each(({ folder, heartbeat }) => {
  heartbeat.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The node that leads etcd goes last: it has all the steps there are. */
const NODE = 'c'
const STEPS: readonly StepName[] = ['check-etcd', 'cordon', 'drain', 'hand-over-leadership', 'reboot']

/** How far the clocks go on, of which some stand still while a machine is suspended. */
const CLOCKS = { monotonic: { monotonic: 61_000, wall: 0 }, wall: { monotonic: 0, wall: 3_600_000 } }

type Fake = ReturnType<typeof fakeCluster>

/**
 * Drives an upgrade whose process sleeps once: while `step` of the node is `open`, when it is `done`, or at the very last
 * look before the request. Resolves to what happened to the node from then on.
 */
async function sleepDuring(
  { folder, heartbeat, clocks }: { folder: string; heartbeat: Heartbeat; clocks: typeof start },
  fake: Fake,
  { step, when, passes }: { step: StepName; when: 'open' | 'done'; passes: Partial<typeof start> },
  meanwhile: () => void,
) {
  const happened: string[] = []
  let slept = false
  const sleep = () => {
    if (slept) return
    slept = true
    meanwhile()
    clocks.monotonic += passes.monotonic ?? 0
    clocks.wall += passes.wall ?? 0
  }
  const journal = openJournal(join(folder, 'journal.ndjson'))
  const { reboot } = fake.connect(() => false)
  const around =
    (name: StepName, body: Step): Step =>
    async (input, context) => {
      const { plan } = input as Partial<NodeStepInput>
      if (plan?.node !== NODE) return body(input, context)
      if (slept) happened.push(name)
      if (name === step && when === 'open') sleep()
      const result = await body(input, context)
      if (name === step && when === 'done') sleep()
      return result
    }
  const driven = await driveFake(fake, folder, journal, {
    heartbeat,
    around,
    talos: {
      reboot(node, options) {
        if (node.name === NODE && slept) happened.push('request')
        return reboot(node, options)
      },
    },
  })
  journal.close()
  assert.ok(slept)
  return { happened, output: driven.state.snapshot.output as ClusterOutput }
}

for (const step of STEPS)
  for (const when of step === 'reboot' ? (['open'] as const) : (['open', 'done'] as const))
    for (const [clock, passes] of Object.entries(CLOCKS)) {
      const behaviour = `while ${step} is ${when}, by its ${clock} clock,`

      test(`${behaviour} asks the gate, drains and hands over once more before the node goes down`, async (context) => {
        const fake = fakeCluster(['a', 'b', 'c'])
        const { happened, output } = await sleepDuring(context, fake, { step, when, passes }, () => {
          fake.kubernetes.refill(NODE)
          fake.lead(NODE)
        })
        assert.equal(output.failures, [])
        assert.equal(fake.trouble, [])
        const before = happened.slice(0, happened.indexOf('request'))
        const again = ['check-etcd', 'cordon', 'drain', 'check-etcd', 'hand-over-leadership', 'reboot']
        assert.equal(before.slice(-again.length), again, happened.join())
        assert.equal(
          [...fake.nodes.values()].map(({ installs, reboots }) => [installs, reboots]),
          [
            [1, 1],
            [1, 1],
            [1, 1],
          ],
        )
      })

      test(`${behaviour} takes no node down beside an alarm that was raised meanwhile`, async (context) => {
        const fake = fakeCluster(['a', 'b', 'c'])
        const { happened, output } = await sleepDuring(context, fake, { step, when, passes }, () => {
          for (const node of fake.nodes.values()) node.alarm = true
        })
        assert.not.ok(happened.includes('request'), happened.join())
        assert.equal(
          output.failures.map(({ reason }) => reason),
          ['etcd-alarm'],
        )
        assert.equal(fake.kubernetes.cordoned(), [])
      })
    }

/** A lid that is closed for an hour: the clock on the wall goes on. */
function closeLid(): () => void {
  const { now } = Date
  Date.now = () => now() + 3_600_000
  return () => {
    Date.now = now
  }
}

/** What a person at a terminal sees of `body`, who answers what `hear` says to what is written. */
async function atTerminal<T>(body: () => Promise<T>, hear: (text: string) => string | undefined): Promise<T> {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  const own = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor
  const { isTTY } = process.stderr
  Object.defineProperty(process, 'stdin', { value: stdin, configurable: true })
  process.stderr.isTTY = true
  try {
    const done = body()
    const { write } = process.stderr
    process.stderr.write = (text: string | Uint8Array) => {
      const answer = hear(String(text))
      if (answer !== undefined) stdin.write(answer)
      return write.call(process.stderr, String(text))
    }
    return await done
  } finally {
    Object.defineProperty(process, 'stdin', own)
    process.stderr.isTTY = isTTY
  }
}

for (const when of ['looks', 'asks'] as const)
  test(`while it ${when} for a plan, looks and plans anew before anything is begun`, async () => {
    const fake = fakeCluster(['a', 'b', 'c'])
    const checkout = checkoutOf(fake)
    let open = () => {}
    let slept = false
    const sleep = () => {
      if (slept) return
      slept = true
      for (const node of fake.nodes.values()) node.alarm = true
      open = closeLid()
    }
    const { connect } = fake
    fake.connect = (isDead) => {
      const talos = connect(isDead)
      return {
        ...talos,
        async observeNodes(...asked) {
          const seen = await talos.observeNodes(...asked)
          if (when === 'looks') sleep()
          return seen
        },
      }
    }
    let asked = 0
    const typed = await atTerminal(
      () => checkout.type(undefined, { yes: false }),
      (text) => {
        if (!text.includes('Go ahead?')) return undefined
        asked += 1
        if (when === 'asks') sleep()
        return 'y\n'
      },
    )
    open()
    assert.is(typed.exitCode, 77)
    assert.equal([slept, asked], [true, when === 'asks' ? 1 : 0])
    assert.equal(typed.report?.failures.map(({ reason }) => reason).slice(0, 1), ['etcd-alarm'])
    assert.match(typed.report?.notices.map(({ text }) => text).join() ?? '', 'this process slept')
    assert.equal(typed.journal, [], 'nothing was begun')
    checkout.remove()
  })

test.run()
