import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../../../scripts/cluster/world.ts'
import { createInstallMemory } from '../../../scripts/steps/install-memory.ts'
import { reboot } from '../../../scripts/steps/reboot.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import type { Configuration, Inspection, OtherSlot } from '../../../workflows/model/observation.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { switchOf } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { kubeNode } from '../../support/kubernetes-facts.ts'
import { stepContext } from '../../support/step-context.ts'
import { carriedOut, inputOf, type Row as WorldRow, whileEtcdIsLookedAt } from '../../support/step-world.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

const plan = nodePlan('a', 'worker', { before: { bootId: 'boot' } })
const configured = (hash: string, pending: Configuration['pending'] = 'nothing'): Result<Configuration> => ({
  ok: true,
  value: { hash, pending },
})

type Row = {
  title: string
  configuration: Result<Configuration>
  /** hash at the installation */
  installed?: string
  /** the boot that runs now, and what its log says */
  bootId?: string
  otherSlot?: OtherSlot
  /** boot under which we installed */
  begunUnder?: string
  /** it is only to restart; into what is pending, where a hash says which */
  restarts?: true | string
  expected: string
  reboots: 0 | 1
}

const rows: readonly Row[] = [
  { title: 'reboots', configuration: configured('h'), installed: 'h', expected: 'rebooted', reboots: 1 },
  {
    title: 'does not boot a configuration that the installer never saw',
    configuration: configured('another'),
    installed: 'h',
    expected: 'configuration-changed',
    reboots: 0,
  },
  {
    title: 'does not boot into a staged configuration',
    configuration: configured('h', 'other-on-disk'),
    expected: 'configuration-pending',
    reboots: 0,
  },
  {
    title: 'does not reboot where the configuration can not be read',
    configuration: { ok: false, failure: failure('node-unreachable') },
    expected: 'configuration-unread',
    reboots: 0,
  },
  {
    title: 'reboots where the role may not read it',
    configuration: { ok: false, failure: failure('permission-denied') },
    installed: 'h',
    expected: 'rebooted',
    reboots: 1,
  },
  {
    title: 'reboots what was installed under a later boot than the planned one, although the log does not tell it',
    configuration: configured('h'),
    bootId: 'later',
    otherSlot: { state: 'unknown', why: 'unread' },
    begunUnder: 'later',
    expected: 'rebooted',
    reboots: 1,
  },
  {
    title: 'does not boot what somebody installed over it',
    configuration: configured('h'),
    otherSlot: { state: 'installed', image: 'factory.talos.dev/metal-installer/s:v1.13.7' },
    expected: 'other-version-waiting',
    reboots: 0,
  },
  {
    title: 'does not cut off an installation of somebody else',
    configuration: configured('h'),
    otherSlot: { state: 'installing', image: 'factory.talos.dev/metal-installer/s:v1.13.9' },
    expected: 'install-unknown',
    reboots: 0,
  },
  {
    title: 'does not boot a slot that somebody failed to write once more',
    configuration: configured('h'),
    otherSlot: { state: 'cut-off', image: 'factory.talos.dev/metal-installer/s:v1.13.9' },
    expected: 'install-unknown',
    reboots: 0,
  },
  {
    title: 'restarts a node whose configuration was changed after an installation of which nothing waits',
    configuration: configured('another'),
    installed: 'h',
    restarts: true,
    expected: 'rebooted',
    reboots: 1,
  },
  {
    title: 'does not boot what waits where the node is only to restart',
    configuration: configured('h'),
    otherSlot: { state: 'installed', image: 'factory.talos.dev/metal-installer/s:v1.13.9' },
    restarts: true,
    expected: 'other-version-waiting',
    reboots: 0,
  },
  {
    title: 'does not restart a node of which the log no longer tells how our installation ended',
    configuration: configured('h'),
    otherSlot: { state: 'unknown', why: 'wrapped' },
    begunUnder: 'boot',
    restarts: true,
    expected: 'install-unknown',
    reboots: 0,
  },
  {
    title: 'does not restart a node on which an installation was cut off over one that had ended',
    configuration: configured('h'),
    otherSlot: { state: 'cut-off', image: 'x:v1.13.9', over: 'x:v1.13.8' },
    restarts: true,
    expected: 'install-unknown',
    reboots: 0,
  },
  {
    title: 'restarts a node of which the log lost its beginning, where nothing was begun since the boot',
    configuration: configured('h'),
    otherSlot: { state: 'unknown', why: 'wrapped' },
    begunUnder: 'before',
    restarts: true,
    expected: 'rebooted',
    reboots: 1,
  },
  ...(['other-on-disk', 'perhaps-on-trial', 'nothing'] as const).map(
    (pending): Row => ({
      title: `restarts into the configuration that was accepted, which is ${pending} now`,
      configuration: configured('h', pending),
      restarts: 'h',
      expected: 'rebooted',
      reboots: 1,
    }),
  ),
  {
    title: 'does not restart into another pending configuration than the one that was accepted',
    configuration: configured('another', 'other-on-disk'),
    restarts: 'h',
    expected: 'configuration-pending',
    reboots: 0,
  },
  {
    title: 'leaves a node alone that somebody rebooted after the installation',
    configuration: configured('h'),
    bootId: 'later',
    begunUnder: 'boot',
    expected: 'rebooted',
    reboots: 0,
  },
]

const restartInto = (pending: true | string) =>
  nodePlan('a', 'worker', {
    before: { bootId: 'boot' },
    work: { kind: 'restart', mode: 'default', ...(pending !== true && { pending }) },
  })

for (const { title, configuration, installed, bootId = 'boot', otherSlot, begunUnder, restarts, ...row } of rows)
  test(title, async () => {
    let now = bootId
    let calls = 0
    const installing = { type: 'installing', node: 'a', bootId: begunUnder ?? 'boot', configuration: installed }
    const facts = () => ({
      ...{ version: 'v1.13.5', bootId: now, stage: 'running', ready: true, unmet: [], schematic: 's', extensions: [] },
      otherSlot: otherSlot ?? { state: 'quiet' },
    })
    const world = {
      cluster: { nodes: [{ name: 'a', address: '127.0.0.1', role: 'worker' }], operations: defaultOperations },
      plans: [],
      installs: createInstallMemory(recollect([{ run: 'r', records: [{ type: 'run' }, installing] }], ''), {
        append: () => {},
      }),
      knocks: async () => true,
      talos: {
        glance: async () => ({ ok: true, value: facts() }),
        observeNodes: async () => ({}),
        inspect: async () => ({ ok: true, value: facts() }),
        otherSlot: async () => ({ ok: true, value: facts() }),
        configurations: async () => ({ a: configuration }),
        watchStage: async () => {},
        reboot: async () => {
          calls += 1
          now = 'after'
          return { ok: true, value: undefined }
        },
      },
    } as unknown as World
    const of = restarts ? restartInto(restarts) : plan
    const result = await reboot(world)({ plan: of, flipped: true, install: 'done' }, stepContext())
    assert.is(result.ok ? 'rebooted' : result.failure.reason, row.expected)
    assert.is(calls, row.reboots)
  })

const { image } = switchOf(plan)
const waiting: WorldRow['when'] = ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { waiting: image })
const BEFORE = ['inspect a', 'stages a,b,c', 'observeEtcd a,b,c', 'otherSlot a v1.13.5', 'configurations a']
const silent = { ok: false as const, failure: failure('node-unreachable', { detail: 'no answer' }) }

/** The answer to the first request is lost; the node goes down only while it is looked at once more, which tells that. */
const lateToAct =
  (tells: (now: Inspection) => Result<Inspection>): WorldRow['answers'] =>
  ({ talos }, fake) => {
    let glances = 0
    let inspections = 0
    return {
      talos: {
        reboot: async () => silent,
        async inspect(node, options) {
          const seen = await talos.inspect(node, options)
          inspections += 1
          return inspections === 2 && seen.ok ? tells(seen.value) : seen
        },
        async glance(node, options) {
          glances += 1
          if (glances === 1) return silent
          if (glances > 2) {
            Object.assign(fake.nodes.get('a') ?? {}, { waiting: image, boots: 0 })
            fake.boot('a')
          }
          return talos.glance(node, options)
        },
      },
    }
  }

/** The answer to the first request is lost, and the node runs on. */
const ignored: WorldRow['answers'] = ({ talos }) => {
  let glances = 0
  return {
    talos: {
      reboot: async () => silent,
      async glance(node, options) {
        glances += 1
        return glances === 1 ? silent : talos.glance(node, options)
      },
    },
  }
}

/** Somebody boots the node while the step begins: it is on its way down at the first look, or silent, and returns by itself. */
const bootedMeanwhile =
  (first: 'goes down' | 'is silent'): WorldRow['answers'] =>
  ({ talos }, fake) => {
    let isFirst = true
    return {
      talos: {
        async inspect(node, options) {
          const seen = await talos.inspect(node, options)
          if (!isFirst || !seen.ok) return seen
          isFirst = false
          fake.boot('a')
          return first === 'is silent' ? silent : { ok: true, value: { ...seen.value, stage: 'rebooting' } }
        },
      },
    }
  }

const installedUnder = (configuration: string) =>
  createInstallMemory(
    recollect(
      [{ run: 'r', records: [{ type: 'run' }, { type: 'installing', node: 'a', bootId: 'a-boot-0', configuration }] }],
      '',
    ),
    { append: () => {} },
  )

const inWorld: WorldRow[] = [
  ...(['goes down', 'is silent'] as const).map((how) => ({
    title: `takes the boot of a node that ${how} as the step begins for what it is`,
    when: waiting,
    answers: bootedMeanwhile(how),
    asks: ['inspect a', 'glance a', 'inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":true,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  })),
  {
    title: 'waits for a node that begins to act only while it is looked at once more',
    when: waiting,
    answers: lateToAct((seen) => ({ ok: true, value: { ...seen, stage: 'rebooting' } })),
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a', 'inspect a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'waits for a node that falls silent while it is looked at once more',
    when: waiting,
    answers: lateToAct(() => silent),
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a', 'inspect a', 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'waits for a node that may not be asked once more, since it is about to go down',
    when: waiting,
    answers: lateToAct((seen) => ({ ok: true, value: { ...seen, otherSlot: { state: 'installing', image } } })),
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a', 'inspect a', 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'asks nothing of a node on which somebody begins to install while etcd is looked at',
    when: waiting,
    answers: whileEtcdIsLookedAt((node) => Object.assign(node, { installing: 'x:v1.13.7' })),
    asks: BEFORE,
    ends: 'install-unknown: x:v1.13.7 is being installed right now',
  },
  {
    title: 'asks nothing of a node that is configured anew while etcd is looked at',
    when: waiting,
    answers: whileEtcdIsLookedAt((node) => Object.assign(node, { configuration: 'another' })),
    world: { installs: installedUnder('h') },
    asks: BEFORE,
    ends: 'configuration-changed: its machine configuration was changed since the installation, which judged the one before',
  },
  {
    title: 'takes the boot of a node that somebody boots while etcd is looked at for what it is',
    when: waiting,
    answers: whileEtcdIsLookedAt((_, fake) => fake.boot('a')),
    asks: [...BEFORE, 'inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":true,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'looks at etcd and then at what waits, asks, and sees it return',
    when: waiting,
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'does not ask what it may not begin after its last look',
    when: waiting,
    keptBackAt: 1,
    asks: BEFORE,
    ends: 'kept back',
  },
  {
    title: 'does not ask once more what it may not begin any more',
    when: waiting,
    answers: ignored,
    keptBackAt: 2,
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a', ...BEFORE],
    ends: 'kept back',
  },
  {
    title: 'does not hand leadership over that came back where it may not begin any more',
    when(fake) {
      waiting(fake)
      fake.lead('a')
    },
    keptBackAt: 2,
    asks: ['inspect a', 'stages a,b,c', 'observeEtcd a,b,c', 'etcdStatus a'],
    ends: 'kept back',
  },
  {
    title: 'asks nothing of a node that somebody booted into the target',
    when(fake) {
      waiting(fake)
      fake.boot('a')
    },
    asks: ['inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":true,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'takes that boot for its own where an earlier process had begun to ask',
    when(fake) {
      waiting(fake)
      fake.boot('a')
    },
    context: { begunBefore: true },
    asks: ['inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'asks nothing of a node of which only the stage can be read',
    answers: () => ({ talos: { inspect: async () => silent } }),
    asks: ['inspect a', 'glance a', 'inspect a'],
    ends: 'node-unreachable: no answer',
  },
  {
    title: 'asks no second time where it is not allowed to',
    when: waiting,
    answers: () => ({ talos: { reboot: async () => ({ ok: false, failure: failure('permission-denied') }) } }),
    asks: [...BEFORE, 'reboot a'],
    ends: 'permission-denied',
  },
  {
    title: 'says that it never came back',
    when: waiting,
    answers: () => ({
      talos: { reboot: async () => ({ ok: true, value: undefined }), glance: async () => silent },
    }),
    deadlineMs: 0,
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a'],
    ends: 'never-returned',
  },
  {
    title: 'says that it hangs on its way down, where it is seen there to the end',
    when: waiting,
    answers: ({ talos }) => ({
      talos: {
        reboot: async () => ({ ok: true, value: undefined }),
        async glance(node, options) {
          const seen = await talos.glance(node, options)
          return seen.ok ? { ok: true, value: { ...seen.value, stage: 'rebooting' } } : seen
        },
      },
    }),
    deadlineMs: 0,
    asks: [...BEFORE, 'reboot a', 'glance a', 'glance a'],
    ends: 'reboot-failed: it hangs on its way down: its stage is rebooting, and its boot id the one that it had',
  },
  {
    title: 'waits no longer for its return once it is told to end',
    when: waiting,
    abortedIn: 'reboot',
    asks: [...BEFORE, 'reboot a'],
    ends: 'cut off',
  },
]
test('asks nothing of a node that is only to restart, where its Node tells of an installation that its log does not', async () => {
  const restarts = inputOf({ work: { kind: 'restart', mode: 'default' } })
  const found = await carriedOut(['a', 'b', 'c'], reboot, restarts, {
    when: ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { wrapped: true }),
    answers: () => ({
      kubernetes: {
        node: async () => ({
          ok: true,
          value: kubeNode('a', '', { install: { bootId: 'a-boot-0', image, run: 'r' } }),
        }),
      },
    }),
  })
  assert.equal(found.asks, ['inspect a', 'node a'])
  assert.match(found.ends, /^install-unknown/)
})

for (const { title, asks, ends, ...given } of inWorld)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b', 'c'], reboot, inputOf(), given), { asks, ends })
  })

test.run()
