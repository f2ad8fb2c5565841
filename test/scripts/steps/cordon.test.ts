import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cordon } from '../../../scripts/steps/cordon.ts'
import { type FailureReason, failure } from '../../../workflows/model/failure.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const refusing =
  (reason: FailureReason): Row['answers'] =>
  () => ({ kubernetes: { nodes: async () => ({ ok: false, failure: failure(reason, { detail: 'no' }) }) } })

const rows: Row[] = [
  {
    title: 'cordons what streams tell of',
    asks: ['told nodes', 'identity a', 'cordon a'],
    ends: 'done',
  },
  {
    title: 'does nothing where the node is cordoned already, by whomever',
    when: ({ kubernetes }) => kubernetes.cordon('a'),
    asks: ['told nodes', 'nodes', 'identity a'],
    ends: 'done',
  },
  {
    title: 'tries again where somebody else changed the node meanwhile',
    answers({ kubernetes }, fake) {
      let reads = 0
      return {
        kubernetes: {
          async nodes(options) {
            const read = await kubernetes.nodes(options)
            if (reads++ === 0) fake.kubernetes.refill('a')
            return read
          },
        },
      }
    },
    asks: ['told nodes', 'identity a', 'cordon a', 'nodes', 'identity a', 'cordon a'],
    ends: 'done',
  },
  {
    title: 'cordons no Node that is not there',
    answers: () => ({ kubernetes: { nodes: async () => ({ ok: true, value: [] }) } }),
    asks: ['told nodes', 'nodes', 'identity a'],
    ends: 'cordon-failed: Kubernetes has no such Node',
  },
  {
    title: 'cordons nothing where another machine answers for the node',
    when: (fake) => fake.move({ a: 'b' }),
    asks: ['told nodes', 'identity a'],
    ends: 'other-node-than-declared: its address answers as b does, with the same boot id',
  },
  {
    title: 'cordons no Node that the machine left behind under its old name',
    when: ({ kubernetes }) => kubernetes.rename('a', 'a-2'),
    asks: ['told nodes', 'nodes', 'identity a'],
    ends: 'kubernetes-node-unknown: it is a-2 in Kubernetes by now, and was a when that was planned',
  },
  {
    title: 'cordons a Node whose machine can not be asked who it is',
    answers: () => ({ talos: { identity: async () => ({ ok: false, failure: failure('node-unreachable') }) } }),
    asks: ['told nodes', 'identity a', 'cordon a'],
    ends: 'done',
  },
  {
    title: 'says by whom it is forbidden, and does not try again',
    answers: refusing('kubernetes-forbidden'),
    asks: ['told nodes', 'nodes'],
    ends: 'kubernetes-forbidden: no',
  },
  {
    title: 'gives up where Kubernetes stays silent',
    answers: refusing('kubernetes-unreachable'),
    deadlineMs: 0,
    asks: ['told nodes', 'nodes'],
    ends: 'cordon-failed: no',
  },
  {
    title: 'cordons nothing once it is told to end',
    abortedIn: 'nodes',
    asks: ['told nodes'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b'], cordon, inputOf(), given), { asks, ends })
  })

test.run()
