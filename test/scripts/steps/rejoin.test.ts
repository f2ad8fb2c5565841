import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Status } from '../../../scripts/cluster/talos.ts'
import { rejoin } from '../../../scripts/steps/rejoin.ts'
import { carriedOut, type Differing, inputOf, type Row } from '../../support/step-world.ts'

/** What the streams of the node tell, one after the other; the last one for ever. */
const streams =
  (...told: (Partial<Status> | undefined)[]): Row['answers'] =>
  () => ({
    talos: {
      async watchStage(_, seen) {
        const now = told.length > 1 ? told.shift() : told[0]
        if (now) seen({ stage: 'running', ready: true, unmet: [], ...now })
      },
    },
  })
const lost: Row['when'] = ({ nodes }) => Object.assign(nodes.get('a') ?? {}, { lost: true })
const unready = { ready: false, unmet: ['nodeReady: not ready'] }

const rows: (Row & { plan?: Differing })[] = [
  {
    title: 'is done when the node is ready and its member votes',
    asks: ['watchStage a', 'etcdStatus a,b,c'],
    ends: 'done',
  },
  { title: 'asks nothing about etcd of a worker', plan: { role: 'worker' }, asks: ['watchStage a'], ends: 'done' },
  {
    title: 'opens another stream where one ends before the node is ready',
    plan: { role: 'worker' },
    answers: streams({ stage: 'booting' }, undefined, {}),
    asks: ['watchStage a', 'watchStage a', 'watchStage a'],
    ends: 'done',
  },
  {
    title: 'does not wait for what was unmet before',
    plan: { role: 'worker', before: { unmet: unready.unmet } },
    answers: streams(unready),
    asks: ['watchStage a'],
    ends: 'done',
  },
  {
    title: 'says what the node lacks when the deadline passes',
    answers: streams(unready),
    deadlineMs: 0,
    asks: ['watchStage a'],
    ends: 'never-ready: running, nodeReady: not ready',
  },
  {
    title: 'says that the node gave no answer at all',
    answers: streams(undefined),
    deadlineMs: 0,
    asks: ['watchStage a'],
    ends: 'never-ready: no answer yet',
  },
  {
    title: 'waits for the member to vote',
    when: lost,
    answers: ({ talos }, { nodes }) => ({
      talos: {
        async etcdStatus(controlPlanes, options) {
          const seen = await talos.etcdStatus(controlPlanes, options)
          Object.assign(nodes.get('a') ?? {}, { lost: false })
          return seen
        },
      },
    }),
    asks: ['watchStage a', 'etcdStatus a,b,c', 'etcdStatus a,b,c'],
    ends: 'done',
  },
  {
    title: 'fails where the member does not come back',
    when: lost,
    deadlineMs: 0,
    asks: ['watchStage a', 'etcdStatus a,b,c'],
    ends: 'etcd-not-caught-up: its member does not answer',
  },
  {
    title: 'fails where etcd can not be read',
    answers: () => ({
      talos: {
        etcdStatus: async () => ({ members: [], undeclared: [], disagreements: [], alarms: [], unread: [] }),
      },
    }),
    deadlineMs: 0,
    asks: ['watchStage a', 'etcdStatus a,b,c'],
    ends: 'etcd-not-caught-up: its member does not answer',
  },
  {
    title: 'opens no other stream once it is told to end',
    answers: streams({ stage: 'booting' }),
    abortedIn: 'watchStage',
    asks: ['watchStage a'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, plan, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b', 'c'], rejoin, inputOf(plan), given), { asks, ends })
  })

test.run()
