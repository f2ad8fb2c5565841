// limit: 600 s
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Call } from '../../../scripts/cli/command.ts'
import { crew } from '../../../scripts/cli/compose-crew.ts'
import type { OpenCluster } from '../../../scripts/cluster/open-cluster.ts'
import type { World as StepWorld } from '../../../scripts/cluster/world.ts'
import type { Layout } from '../../../scripts/declaration/layout.ts'
import { carryOutIn } from '../../../scripts/engine/carry-out-in.ts'
import type { StopSignal } from '../../../scripts/engine/stop.ts'
import { createSteps } from '../../../scripts/steps/steps.ts'
import type { RunEvent } from '../../../workflows/model/event.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { upgrade } from '../../../workflows/plan/upgrade.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { inFull } from '../../support/in-full.ts'

const test = suite('a run that is told to stop')
const names = ['a', 'b', 'c']
const again = 'node --import tsx workflows/upgrade.ts --cluster 7'

const scratch = mkdtempSync(join(tmpdir(), 'carry-out-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

type Fake = ReturnType<typeof fakeCluster>

type World = {
  title: string
  begin: () => Fake
  /** calls that are answered in another way, by `<port>.<name>`; how many came before it is told */
  answers?: Readonly<Record<string, (before: number) => unknown>>
  /** how it ends when nobody tells it to stop */
  code: number
}

const worlds: readonly World[] = [
  {
    title: 'an upgrade with drains and gates that lifts a cordon of a dead run',
    begin() {
      const fake = fakeCluster(names)
      fake.kubernetes.cordon('b', { run: 'dead', at: '2026-01-01T00:00:00Z' })
      const gate = { name: 'storage', resource: 'pods', condition: 'Ready', timeoutMs: 5_000 }
      fake.cluster.operations = { ...fake.cluster.operations, gates: [gate as never] }
      return fake
    },
    // who is silent at first leaves the cordon for the plan
    answers: { 'kubernetes.nodes': (before) => (before === 0 ? silent : undefined) },
    code: 0,
  },
  {
    title: 'an upgrade from below 1.13',
    begin() {
      const fake = fakeCluster(names)
      for (const node of fake.nodes.values()) node.version = 'v1.12.9'
      return fake
    },
    code: 0,
  },
  {
    title: 'an upgrade whose installations fail',
    begin: () => fakeCluster(names),
    answers: { 'talos.install': () => ({ ok: true, value: undefined }) },
    code: 1,
  },
]

const silent = { ok: false, failure: failure('kubernetes-unreachable', { detail: 'aborted' }) }

/** Comes with the call of that number; `twice`: once more, later; `cutOff`: what it aborts answers no more. */
type Strike = { at: number; by: StopSignal; twice: boolean; cutOff: boolean }

type Life = { exitCode: number; end: Extract<RunEvent, { type: 'run.finished' }>; moments: string[] }

/** how far the monotonic clock is ahead: a second signal counts as one only two seconds after the first */
let aheadMs = 0
const elapsed = performance.now.bind(performance)
performance.now = () => elapsed() + aheadMs

/** One process, from its first look to its last word; `moments` are its calls, with the step that makes them. */
async function live(world: World, fake: Fake, folder: string, strike?: Strike): Promise<Life> {
  const moments: string[] = []
  let end: RunEvent | undefined
  let step = 'plan'
  const enter = (call: string): void => {
    moments.push(`${step} ${call}`)
    if (strike === undefined || moments.length - 1 !== strike.at) return
    process.emit(strike.by)
    if (!strike.twice) return
    aheadMs += 2_500
    process.emit(strike.by)
  }
  const watched = <T extends object>(port: string, calls: T): T =>
    Object.fromEntries(
      Object.entries(calls).map(([name, call]) => {
        let before = 0
        return [
          name,
          async (...given: unknown[]) => {
            enter(name)
            const answer = world.answers?.[`${port}.${name}`]?.(before++) ?? (await call(...given))
            const { signal } = (given.at(-1) ?? {}) as { signal?: AbortSignal }
            const isCut = strike?.cutOff && signal?.aborted && 'ok' in Object(answer) && !neverCutOff.includes(name)
            return isCut ? silent : answer
          },
        ]
      }),
    ) as T
  const layout = { folder, root: folder, talosconfig: join(folder, 'talosconfig') } as Layout
  const session: OpenCluster = {
    cluster: fake.cluster,
    layout,
    talos: watched(
      'talos',
      fake.connect(() => false),
    ),
    kubernetes: watched(
      'kubernetes',
      fake.kubernetes.connect(() => false),
    ),
    identity: 'i',
    talosctl: '1.13.9',
    roles: ['os:admin'],
    ...{ changes: [], starts: {} },
  }
  const common = { cluster: '7', dryRun: false, yes: true, output: 'json' }
  const call = { command: 'upgrade', common, again, cluster: fake.cluster, layout } as unknown as Call
  const accepts = { allowExtensionLoss: false, allowKernelArgumentLoss: false, acceptEtcdOutage: false }
  const wish = { to: 'v1.13.9', ...accepts, retry: true, keepGoing: false, skipDrain: false }
  const { write } = process.stdout
  process.stdout.write = ((text: string) => {
    const event = JSON.parse(text) as RunEvent
    if (event.type === 'step.started') step = event.step
    if (event.type === 'run.finished') end = event
    return true
  }) as typeof write
  try {
    const exitCode = await carryOutIn(crew, session, upgrade, call, wish)
    if (end?.type !== 'run.finished') throw new Error('it said nothing at its end')
    return { exitCode, end, moments }
  } finally {
    process.stdout.write = write
  }
}

/** These outlive the process that began them. */
const neverCutOff = ['install', 'upgradeLegacy']

// each run listens for readers that leave
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)

const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

const stepsMet = new Set<string>()

for (const world of worlds) {
  const folder = mkdtempSync(join(scratch, 'undisturbed-'))
  const undisturbed = await live(world, world.begin(), folder)
  test(`${world.title} ends ${world.code} when nobody tells it to stop`, () => {
    assert.is(undisturbed.exitCode, world.code, JSON.stringify(undisturbed.end))
  })

  for (const [at, moment] of undisturbed.moments.entries()) {
    stepsMet.add(moment.split(' ')[0] ?? '')
    if (undisturbed.moments.indexOf(moment) !== at) continue
    test(`${world.title} stops in ${moment} with the command that goes on, which does`, async () => {
      for (const strike of strikesAt(at)) {
        const when = JSON.stringify(strike)
        const fake = world.begin()
        const own = mkdtempSync(join(scratch, 'told-'))
        const told = await live(world, fake, own, strike)
        for (let turns = 0; turns < 20; turns++) await turn()
        assert.equal(unhandled.splice(0), [], when)
        // told at its very end, it has nothing left to stop
        if (told.exitCode !== world.code) {
          assert.is(told.exitCode, strike.by === 'SIGINT' ? 130 : 143, `${when} ${JSON.stringify(told.end)}`)
          assert.is(told.end.next, again, when)
        }
        assert.is(told.end.exitCode, told.exitCode, when)
        const resumed = await live(world, fake, own)
        assert.is(resumed.exitCode, world.code, `${when} ${JSON.stringify(resumed.end)}`)
        assert.equal(fake.trouble, [], when)
        assert.equal(fake.kubernetes.cordoned(), [], when)
        if (world.code === 0)
          for (const [name, { version, installs, reboots }] of fake.nodes)
            assert.equal([name, version, installs, reboots], [name, 'v1.13.9', 1, 1], when)
        rmSync(own, { recursive: true })
      }
    })
  }
}

/** All of them, or one after another in turn. */
function strikesAt(at: number): Strike[] {
  const all: Strike[] = [
    { at, by: 'SIGINT', twice: false, cutOff: true },
    { at, by: 'SIGTERM', twice: false, cutOff: true },
    { at, by: 'SIGTERM', twice: false, cutOff: false },
    { at, by: 'SIGINT', twice: true, cutOff: true },
    { at, by: 'SIGTERM', twice: true, cutOff: true },
  ]
  return inFull ? all : all.filter((_, index) => index === at % all.length)
}

test('these are all steps that there are', () => {
  const steps = Object.keys(createSteps({} as StepWorld))
  assert.equal(
    steps.filter((step) => !stepsMet.has(step)),
    [],
  )
})

test.run()
