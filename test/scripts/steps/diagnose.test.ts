import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { diagnose } from '../../../scripts/steps/diagnose.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { carriedOut, type Differing, inputOf, type Row } from '../../support/step-world.ts'

const booted =
  (version: string, more: object = {}): Row['when'] =>
  ({ nodes }) =>
    Object.assign(nodes.get('a') ?? {}, { version, boots: 1, ...more })

/** Of a boot that nobody planned all nodes are asked. */
const BOOTED = ['inspect a', 'observeNodes a,b,c']

const rows: (Row & { plan?: Differing; begun?: boolean })[] = [
  {
    title: 'asks whether the member votes of a control plane that runs the target',
    when: booted('v1.13.9'),
    asks: [...BOOTED, 'observeEtcd a,b,c'],
    ends: 'upgraded',
  },
  {
    title: 'calls it stuck where its member does not vote',
    when: booted('v1.13.9', { lost: true }),
    asks: [...BOOTED, 'observeEtcd a,b,c'],
    ends: 'stuck',
  },
  {
    title: 'asks nothing about etcd of a worker',
    plan: { role: 'worker' },
    when: booted('v1.13.9'),
    asks: BOOTED,
    ends: 'upgraded',
  },
  {
    title: 'asks nothing more of a node that fell back',
    when: booted('v1.13.5'),
    asks: BOOTED,
    ends: 'rolled-back',
  },
  {
    title: 'tells of a node on which nothing was begun that it is unchanged',
    begun: false,
    asks: ['inspect a'],
    ends: 'unchanged',
  },
  {
    title: 'tells of a silent node that it is unreachable',
    answers: () => ({ talos: { inspect: async () => ({ ok: false, failure: failure('node-unreachable') }) } }),
    asks: ['inspect a'],
    ends: 'unreachable',
  },
  {
    title: 'judges no machine that answers for another node, too',
    when: booted('v1.13.9'),
    answers: ({ talos }) => ({
      talos: {
        async observeNodes(nodes, options) {
          const seen = await talos.observeNodes(nodes, options)
          const a = seen.a
          return a ? { ...seen, b: a } : seen
        },
      },
    }),
    asks: BOOTED,
    ends: 'unreachable',
  },
  { title: 'tells nothing when it is told to end', abortedIn: 'inspect', asks: ['inspect a'], ends: 'unreachable' },
]

for (const { title, asks, ends, plan, begun = true, ...given } of rows)
  test(title, async () => {
    const input = inputOf(plan, begun ? {} : { install: 'no', flipped: false })
    const found = await carriedOut(['a', 'b', 'c'], diagnose, input, given)
    const [, verdict] = /^done \{"verdict":"([^"]+)"/.exec(found.ends) ?? []
    assert.equal({ asks: found.asks, ends: verdict ?? found.ends }, { asks, ends })
  })

test.run()
