import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../../../scripts/cluster/world.ts'
import { createInstallMemory } from '../../../scripts/steps/install-memory.ts'
import { upgrade } from '../../../scripts/steps/upgrade.ts'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import type { InstallMark } from '../../../workflows/model/kubernetes.ts'
import type { Inspection, OtherSlot } from '../../../workflows/model/observation.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { switchOf } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { stepContext } from '../../support/step-context.ts'
import { carriedOut, inputOf, type Row as WorldRow, whileEtcdIsLookedAt } from '../../support/step-world.ts'
import { kubernetesPlan, nodePlan } from '../../support/upgrade-plan.ts'

const plan = nodePlan('a', 'worker', {
  before: { bootId: 'planned', version: 'v1.12.9' },
  work: 'one call',
  kubernetes: kubernetesPlan({ name: 'a' }),
})
const { image } = switchOf(plan)

type Row = {
  title: string
  /** the boot that runs when the step begins */
  bootId?: string
  otherSlot?: OtherSlot
  /** the node that has that boot as well */
  twin?: 'as planned' | 'as it answers'
  /** an earlier process began this step, and what its journal tells of the call */
  begunBefore?: { asked: boolean }
  /** minutes that this process sleeps while the Node is told of the installation */
  sleeps?: true
  ends: string
  does: string[]
}

const rows: Row[] = [
  { title: 'tells the Node before it asks', ends: 'down', does: ['note', 'ask'] },
  {
    title: 'asks nothing when it slept while it told the Node',
    sleeps: true,
    ends: 'still up',
    does: ['note'],
  },
  {
    title: 'takes a boot after a call of an earlier process for the end of that call',
    bootId: 'another',
    begunBefore: { asked: true },
    ends: 'down',
    does: [],
  },
  {
    title: 'takes no boot for its own where nothing was asked yet',
    bootId: 'another',
    begunBefore: { asked: false },
    ends: 'down',
    does: ['note', 'ask'],
  },
  ...(['as planned', 'as it answers'] as const).map(
    (twin): Row => ({
      title: `asks nothing of a machine that has the boot of another node, ${twin}`,
      bootId: 'another',
      twin,
      ends: 'other-node-than-declared',
      does: [],
    }),
  ),
  {
    title: 'does not write over what somebody installed meanwhile',
    otherSlot: { state: 'installed', image: 'factory.talos.dev/metal-installer/s:v1.12.11' },
    ends: 'other-version-waiting',
    does: [],
  },
]

for (const { title, bootId = 'planned', twin, otherSlot = { state: 'quiet' }, begunBefore, sleeps, ends, does } of rows)
  test(title, async () => {
    const done: string[] = []
    let boot = bootId
    let slept = false
    const facts = () => ({
      ...{
        version: plan.before.version,
        bootId: boot,
        stage: 'running',
        ready: true,
        unmet: [],
        schematic: 's',
        extensions: [],
      },
      otherSlot,
    })
    const begun = [
      { type: 'intent', step: 'upgrade', node: 'a', bootId: 'planned', path: 'a/turn/upgrade' },
      ...(begunBefore?.asked ? [{ type: 'installing', node: 'a', bootId: 'planned', image }] : []),
    ]
    const world = {
      cluster: {
        nodes: [{ name: 'a', address: '127.0.0.1', role: 'worker' }],
        operations: {
          ...defaultOperations,
          deadlines: { ...defaultOperations.deadlines, rebootMs: 20_000, installMs: 20_000 },
        },
      },
      plans: twin === 'as planned' ? [plan, nodePlan('b', 'worker', { before: { bootId } })] : [plan],
      installs: createInstallMemory(
        recollect(begunBefore ? [{ run: 'r', records: [{ type: 'run' }, ...begun] }] : [], ''),
        {
          append: () => {},
        },
      ),
      knocks: async () => true,
      acceptEtcdOutage: false,
      kubernetes: {
        noteInstall: async (_: string, mark: InstallMark) => {
          assert.is(mark.bootId, boot)
          done.push('note')
          slept = sleeps === true
          return { ok: true, value: undefined }
        },
      },
      talos: {
        glance: async () => ({ ok: true, value: facts() }),
        observeNodes: async () => (twin === 'as it answers' ? { b: { reachable: true, ...facts() } } : {}),
        inspect: async () => ({ ok: true, value: facts() }),
        otherSlot: async () => ({ ok: true, value: facts() }),
        configurations: async () => ({ a: { ok: true, value: { hash: 'h', pending: 'nothing' } } }),
        watchStage: async () => {},
        upgradeLegacy: async () => {
          done.push('ask')
          boot = 'after'
          return { ok: true, value: undefined }
        },
      },
    } as unknown as World
    const result = await upgrade(world)(
      { plan, flipped: false, install: 'no' },
      stepContext({ begunBefore: begunBefore !== undefined, isStale: () => slept }),
    )
    assert.is(result.ok ? (result.value.stillUp ? 'still up' : 'down') : result.failure.reason, ends)
    assert.equal(done, does)
  })

const old: WorldRow['when'] = ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { version: 'v1.12.9' })
const LAST = ['otherSlot a v1.12.9', 'configurations a']
const BEFORE = ['inspect a', 'configurations a', 'noteInstall a', 'stages a,b,c', 'observeEtcd a,b,c', ...LAST]
const CALL = `upgradeLegacy a ${image}`
const silent = { ok: false as const, failure: failure('node-unreachable', { detail: 'no answer' }) }

/** So many members are listed, of three control planes, and the others wait for their configuration. */
const members =
  (count: number): WorldRow['answers'] =>
  ({ talos }) => ({
    talos: {
      async stages(nodes, options) {
        const seen = Object.entries(await talos.stages(nodes, options))
        const waits = { ok: false as const, failure: failure('node-in-maintenance') }
        return Object.fromEntries(seen.map(([node, one]) => [node, node < 'abc'.charAt(count) ? one : waits]))
      },
      async observeEtcd(nodes, options) {
        const etcd = await talos.observeEtcd(nodes, options)
        return { ...etcd, members: etcd.members.slice(0, count) }
      },
    },
  })
const ACCEPTED = [
  'inspect a',
  'configurations a',
  'noteInstall a',
  'observeEtcd a,b,c',
  'stages a,b,c',
  'observeEtcd a,b,c',
  ...LAST,
]
/** The answer to the first request is lost; the node goes down only while it is looked at once more, which tells that. */
const lateToAct =
  (tells: (now: Inspection) => Result<Inspection>): WorldRow['answers'] =>
  ({ talos }, fake) => {
    let glances = 0
    let inspections = 0
    return {
      talos: {
        upgradeLegacy: async () => silent,
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

const inWorld: WorldRow[] = [
  ...([1, 2] as const).map(
    (count): WorldRow => ({
      title: `skips the check of the node itself where two members are left, and their outage is accepted: ${count}`,
      when: old,
      answers: members(count),
      world: { acceptEtcdOutage: true },
      asks: [...ACCEPTED, count === 2 ? `${CALL} by force` : CALL, 'glance a', 'glance a'],
      ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
    }),
  ),
  ...(['goes down', 'is silent'] as const).map((how) => ({
    title: `asks a node that ${how} as the step begins in its new boot, where nothing was asked of it before`,
    when: old,
    answers: bootedMeanwhile(how),
    asks: [
      'inspect a',
      'glance a',
      'inspect a',
      'observeNodes a,b,c',
      ...BEFORE.slice(1),
      CALL,
      'glance a',
      'glance a',
    ],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-2"}}',
  })),
  {
    title: 'takes that boot for the end of the call of an earlier process',
    when: old,
    answers: bootedMeanwhile('is silent'),
    world: {
      installs: { ...createInstallMemory(recollect([], ''), { append: () => {} }), requestedBefore: () => true },
    },
    context: { begunBefore: true },
    asks: ['inspect a', 'glance a', 'inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.12.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'waits for a node that begins to act only while it is looked at once more',
    when: old,
    answers: lateToAct((seen) => ({ ok: true, value: { ...seen, stage: 'upgrading' } })),
    asks: [...BEFORE, CALL, 'glance a', 'glance a', 'inspect a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'waits for a node that falls silent while it is looked at once more',
    when: old,
    answers: lateToAct(() => silent),
    asks: [...BEFORE, CALL, 'glance a', 'glance a', 'inspect a', 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'waits for a node whose slot is being written already when it is looked at once more',
    when: old,
    answers: lateToAct((seen) => ({ ok: true, value: { ...seen, otherSlot: { state: 'installing', image } } })),
    asks: [...BEFORE, CALL, 'glance a', 'glance a', 'inspect a', 'configurations a', 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'asks nothing of a node on which somebody begins to install while etcd is looked at',
    when: old,
    answers: whileEtcdIsLookedAt((node) => Object.assign(node, { installing: 'x:v1.12.11' })),
    asks: BEFORE,
    ends: 'install-unknown: x:v1.12.11 is being installed right now',
  },
  {
    title: 'asks a node that somebody boots while etcd is looked at in its new boot',
    when: old,
    answers: whileEtcdIsLookedAt((node, fake) => {
      if (node.boots === 0) fake.boot('a')
    }),
    asks: [...BEFORE, 'inspect a', 'observeNodes a,b,c', ...BEFORE.slice(1), CALL, 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-2"}}',
  },
  {
    title: 'looks at the other slot, at etcd and at the slot once more, asks, and sees it return',
    when: old,
    asks: [...BEFORE, CALL, 'glance a', 'glance a'],
    ends: 'done {"flippedEarly":false,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'does not ask what it may not begin after its last look',
    when: old,
    keptBackAt: 1,
    asks: BEFORE,
    ends: 'kept back',
  },
  {
    title: 'asks nothing of a node that runs the target already',
    when: ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { version: 'v1.13.9', boots: 1 }),
    asks: ['inspect a', 'observeNodes a,b,c'],
    ends: 'done {"flippedEarly":true,"seen":{"version":"v1.13.9","bootId":"a-boot-1"}}',
  },
  {
    title: 'asks nothing of a node that was changed since the plan was made',
    when: ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { version: 'v1.13.5' }),
    asks: ['inspect a'],
    ends: 'wrong-version: runs v1.13.5 by now, and v1.12.9 when it was planned: an installation is asked for in another way',
  },
  {
    title: 'asks nothing of a node of which only the stage can be read',
    answers: () => ({ talos: { inspect: async () => silent } }),
    asks: ['inspect a', 'glance a', 'inspect a'],
    ends: 'node-unreachable: no answer',
  },
  {
    title: 'asks no second time where it is not allowed to',
    when: old,
    answers: () => ({ talos: { upgradeLegacy: async () => ({ ok: false, failure: failure('permission-denied') }) } }),
    asks: [...BEFORE, CALL],
    ends: 'permission-denied',
  },
  {
    title: 'waits no longer for its return once it is told to end',
    when: old,
    abortedIn: 'upgradeLegacy',
    asks: [...BEFORE, CALL],
    ends: 'cut off',
  },
]
for (const { title, asks, ends, ...given } of inWorld)
  test(title, async () => {
    const input = inputOf({ work: plan.work, before: { version: 'v1.12.9' } })
    assert.equal(await carriedOut(['a', 'b', 'c'], upgrade, input, given), { asks, ends })
  })

test.run()
