import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { uncordon } from '../../../scripts/steps/uncordon.ts'
import { failure } from '../../../workflows/model/failure.ts'
import type { KubeNode } from '../../../workflows/model/kubernetes.ts'
import { kubeNode } from '../../support/kubernetes-facts.ts'
import { carriedOut, inputOf, type Row } from '../../support/step-world.ts'

const mark = { run: 'r', at: '2026-01-01T00:00:00Z' }
const ours: Row['when'] = ({ kubernetes }) => kubernetes.cordon('a', mark)
const seen =
  (...nodes: Partial<KubeNode>[]): Row['answers'] =>
  () => ({
    kubernetes: {
      node: async () => ({ ok: true, value: kubeNode('a', '', nodes.length > 1 ? nodes.shift() : nodes[0]) }),
    },
  })

const rows: Row[] = [
  {
    title: 'lifts our cordon as streams tell of it',
    when: ours,
    asks: ['told nodes', 'uncordon a'],
    ends: 'done',
  },
  { title: 'does nothing where the node is not cordoned', asks: ['told nodes', 'node a'], ends: 'done' },
  {
    title: 'does nothing where there is no Node',
    answers: () => ({ kubernetes: { node: async () => ({ ok: true, value: undefined }) } }),
    asks: ['told nodes', 'node a'],
    ends: 'done',
  },
  {
    title: 'leaves the cordon of a person',
    when: ({ kubernetes }) => kubernetes.cordon('a'),
    asks: ['told nodes', 'node a'],
    ends: 'done',
  },
  {
    title: 'takes away the mark alone where somebody lifted our cordon',
    answers: seen({ staleMark: { ...mark, beside: 'no-cordon' } }),
    asks: ['told nodes', 'node a', 'unmark a'],
    ends: 'done',
  },
  {
    title: 'lifts nothing where the Node does not tell whose the cordon is',
    answers: seen({ unschedulable: true, staleMark: { ...mark, beside: 'unknown-cordon' } }),
    asks: ['told nodes', 'node a'],
    ends: 'left-cordoned: it stays cordoned, since its Node does not tell whether the cordon is ours',
  },
  {
    title: 'tries again where somebody else changed the node meanwhile, by what is read then',
    when: ours,
    answers({ kubernetes }, fake) {
      let reads = 0
      return {
        kubernetes: {
          async nodes(options) {
            const read = await kubernetes.nodes(options)
            if (reads++ === 0) fake.kubernetes.cordon('a')
            return read
          },
        },
      }
    },
    asks: ['told nodes', 'uncordon a', 'node a', 'uncordon a'],
    ends: 'done',
  },
  {
    title: 'says that the node stays cordoned where it can not be read',
    when: ours,
    answers: () => {
      const silent = async () => ({ ok: false as const, failure: failure('kubernetes-unreachable') })
      return { kubernetes: { node: silent, nodes: silent } }
    },
    deadlineMs: 0,
    asks: ['told nodes', 'node a'],
    ends: 'left-cordoned: it stays cordoned, since our cordon could not be lifted: kubernetes-unreachable',
  },
  {
    title: 'does not try again what it may not do',
    when: ours,
    answers: () => ({
      kubernetes: { uncordon: async () => ({ ok: false, failure: failure('kubernetes-forbidden', { detail: 'no' }) }) },
    }),
    asks: ['told nodes', 'uncordon a'],
    ends: 'left-cordoned: it stays cordoned, since our cordon could not be lifted: no',
  },
  {
    title: 'does not look again once it is told to end',
    when: ours,
    abortedIn: 'uncordon',
    asks: ['told nodes', 'uncordon a'],
    ends: 'cut off',
  },
]

for (const { title, asks, ends, ...given } of rows)
  test(title, async () => {
    assert.equal(await carriedOut(['a', 'b'], uncordon, inputOf(), given), { asks, ends })
  })

test.run()
