import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../../../scripts/cluster/world.ts'
import { createInstallMemory } from '../../../scripts/steps/install-memory.ts'
import { reboot } from '../../../scripts/steps/reboot.ts'
import { upgrade } from '../../../scripts/steps/upgrade.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { switchOf } from '../../../workflows/plan/plan.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { stepContext } from '../../support/step-context.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

/** What etcd shows at each look, the last one for ever; `does` is each thing that was asked of the node. */
type Row = {
  title: string
  looks: { leads?: boolean; alarm?: boolean }[]
  lost?: boolean
  stale?: boolean
  sleepsWhileLooking?: boolean
  ends: string
  does: string[]
}

const rows: Row[] = [
  { title: 'asks after a look that finds nothing', looks: [{}], ends: 'down', does: ['look', 'ask'] },
  {
    title: 'asks nothing when the last look objects, and says that it was the look',
    looks: [{ alarm: true }],
    ends: 'etcd-alarm of check-etcd',
    does: ['look'],
  },
  {
    title: 'hands leadership over that came back, and looks again',
    looks: [{ leads: true }, { leads: true }, {}],
    ends: 'down',
    does: ['look', 'look', 'hand over', 'look', 'look', 'ask'],
  },
  {
    title: 'looks anew before it asks a second time',
    looks: [{}, { alarm: true }],
    lost: true,
    ends: 'asked in vain',
    does: ['look', 'ask', 'look'],
  },
  {
    title: 'asks nothing in the place of a process that died',
    looks: [{}],
    stale: true,
    ends: 'still up',
    does: [],
  },
  {
    title: 'asks nothing when it slept during the look',
    looks: [{}],
    sleepsWhileLooking: true,
    ends: 'still up',
    does: ['look'],
  },
]

const STEPS = {
  reboot: { body: reboot, plan: nodePlan('a', 'controlplane', { before: { bootId: 'boot' } }) },
  upgrade: {
    body: upgrade,
    plan: nodePlan('a', 'controlplane', { before: { bootId: 'boot', version: 'v1.12.9' }, work: 'one call' }),
  },
}

for (const [name, { body, plan }] of Object.entries(STEPS)) {
  for (const { title, looks, lost, stale, sleepsWhileLooking, ends, does } of rows) {
    test(`${name} ${title}`, async () => {
      const done: string[] = []
      let look = 0
      let bootId = 'boot'
      let slept = stale === true
      const facts = () => ({
        ...{
          version: plan.before.version,
          bootId,
          stage: 'running',
          ready: true,
          unmet: [],
          schematic: 's',
          extensions: [],
        },
        otherSlot: name === 'upgrade' ? { state: 'quiet' } : { state: 'installed', image: switchOf(plan).image },
      })
      const ask = async () => {
        done.push('ask')
        if (!lost) bootId = 'after'
        return lost ? { ok: false, failure: failure('command-failed') } : { ok: true, value: undefined }
      }
      const members = ['a', 'b', 'c']
      const operations = defaultOperations
      const world = {
        cluster: {
          nodes: members.map((node) => ({
            name: node,
            address: `127.0.0.${node.charCodeAt(0)}`,
            role: 'controlplane',
          })),
          operations: { ...operations, deadlines: { ...operations.deadlines, rebootMs: 20_000, installMs: 20_000 } },
        },
        plans: [],
        installs: createInstallMemory(recollect([], ''), { append: () => {} }),
        knocks: async () => true,
        acceptEtcdOutage: false,
        talos: {
          glance: async () => ({ ok: true, value: facts() }),
          observeNodes: async () => ({}),
          inspect: async () => ({ ok: true, value: facts() }),
          otherSlot: async () => ({ ok: true, value: facts() }),
          configurations: async () => ({ a: { ok: true, value: { hash: 'h', pending: 'nothing' } } }),
          stages: async (nodes: { name: string }[]) =>
            Object.fromEntries(
              nodes.map((node) => [node.name, { ok: true, value: { stage: 'running', ready: true, unmet: [] } }]),
            ),
          ...Object.fromEntries(
            ['observeEtcd', 'etcdStatus'].map((call) => [
              call,
              async () => {
                done.push('look')
                if (sleepsWhileLooking) slept = true
                const now = looks[Math.min(look++, looks.length - 1)] ?? {}
                return {
                  members: members.map((node) => ({
                    ...{ node, id: node, started: true, learner: false, answers: true, errors: [] },
                    ...{ appliedIndex: 1, raftIndex: 1, leader: node === (now.leads ? 'a' : 'b') },
                  })),
                  undeclared: [],
                  disagreements: [],
                  unread: [],
                  alarms: now.alarm ? [{ node: 'b', kind: 'NOSPACE' }] : [],
                }
              },
            ]),
          ),
          forfeitLeadership: async () => {
            done.push('hand over')
            return { ok: true, value: undefined }
          },
          watchStage: async () => {},
          reboot: ask,
          upgradeLegacy: ask,
        },
      } as unknown as World
      const result = await body(world)(
        { plan, flipped: true, install: 'done' },
        stepContext({ begunBefore: stale === true, isStale: () => slept }),
      )
      const { reason, step } = result.ok ? {} : result.failure
      const how = step === undefined ? 'asked in vain' : `${reason} of ${step}`
      assert.is(result.ok ? (result.value.stillUp ? 'still up' : 'down') : how, ends)
      const { unasked = false } = result.ok ? result.value : result.failure
      assert.is(unasked, ends !== 'down' && !does.includes('ask') && !stale)
      // after a refusal the call of older Talos asks first whether the node's own member is what is broken
      assert.equal(done, name === 'upgrade' && lost ? [...does, 'look'] : does)
    })
  }
}

test.run()
