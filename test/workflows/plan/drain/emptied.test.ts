import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubernetesRead, VolumeAttachment } from '../../../../workflows/model/kubernetes.ts'
import { isEmptied, stillAttached, withoutHanging } from '../../../../workflows/plan/drain/emptied.ts'
import { nameSome } from '../../../../workflows/plan/drain/name-some.ts'
import { defaultOperations } from '../../../support/default-operations.ts'
import { kubeNode, kubePod } from '../../../support/kubernetes-facts.ts'

const attachment = (name: string, volume: string, more: Partial<VolumeAttachment> = {}) =>
  ({ name, node: 'a', volume, orphaned: false, ...more }) as VolumeAttachment
const read = (more: Partial<KubernetesRead> = {}): KubernetesRead => ({
  nodes: [kubeNode('a', '10.0.0.1'), kubeNode('b', '10.0.0.2')],
  ...{ pods: [], budgets: [], attachments: [] },
  ...more,
})
const unwell = { hanging: ['shop/web-1'], attachments: ['csi-1'] }

const empty: [sentence: string, read: KubernetesRead, hung: boolean, isEmpty: boolean][] = [
  ['no pod', read(), false, true],
  ['a pod of another node', read({ pods: [kubePod('web-1', 'b')] }), false, true],
  ['a pod that could run elsewhere', read({ pods: [kubePod('web-1', 'a')] }), false, false],
  [
    'a pod of a DaemonSet',
    read({ pods: [kubePod('web-1', 'a', { controller: { kind: 'DaemonSet', name: 'x' } })] }),
    false,
    true,
  ],
  ['a pod that ends', read({ pods: [kubePod('web-1', 'a', { terminating: true })] }), false, false],
  ['a pod that hung before', read({ pods: [kubePod('web-1', 'a', { terminating: true })] }), true, true],
  ['one that took the name of a pod that hung before', read({ pods: [kubePod('web-1', 'a')] }), true, false],
]
for (const [sentence, seen, hung, isEmpty] of empty)
  test(`a node with ${sentence} is ${isEmpty ? 'empty' : 'not empty'}`, () =>
    assert.is(isEmptied(seen, { name: 'a', ...(hung && { unwell }) }, defaultOperations.drain), isEmpty))

test('what hung before is left out of what is said', () => {
  const pods = [kubePod('web-1', 'a', { terminating: true }), kubePod('web-2', 'a', { terminating: true })]
  assert.equal(
    withoutHanging(read({ pods }), { name: 'a', unwell }).pods.map(({ name }) => name),
    ['web-2'],
  )
})

test('volumes of pods that left are waited for, those of others are not', () => {
  const before = read({
    pods: [kubePod('agent', 'a', { claims: ['stays'] }), kubePod('web', 'b', { claims: ['goes'] })],
    attachments: [
      attachment('csi-2', 'pv-2', { claim: 'shop/stays' }),
      attachment('csi-3', 'pv-3', { claim: 'shop/goes' }),
    ],
  })
  const now = [
    attachment('csi-1', 'pv-1'),
    attachment('csi-2', 'pv-2'),
    attachment('csi-3', 'pv-3'),
    attachment('csi-4', 'pv-4'),
    attachment('csi-5', 'pv-5', { node: 'b' }),
  ]
  assert.equal(stillAttached(now, { name: 'a', unwell }, before), ['shop/goes', 'pv-4'])
  assert.equal(stillAttached(now, { name: 'a' }, before), ['pv-1', 'shop/goes', 'pv-4'])
})

test('some reasons are named, and how many more there are', () => {
  assert.is(nameSome(['one', 'two'], 2), 'one; two')
  assert.is(nameSome(['one', 'two', 'three', 'four'], 2), 'one; two; 2 more')
  assert.is(nameSome([], 2), '')
})

test.run()
