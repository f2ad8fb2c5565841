import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubeNode, KubePod, KubernetesFacts } from '../../../workflows/model/kubernetes.ts'
import { verdictText } from '../../../workflows/model/verdict.ts'
import { controlPlaneObjections } from '../../../workflows/plan/gate.ts'
import type { Unwell } from '../../../workflows/plan/plan.ts'
import { isAsWell, settling, unwellNote, unwellNow } from '../../../workflows/plan/unwell.ts'
import { kubeNode, kubePod, kubernetesFacts } from '../../support/kubernetes-facts.ts'
import { kubernetesPlan, nodePlan } from '../../support/upgrade-plan.ts'

const daemon = (name: string, more: Partial<KubePod> = {}) =>
  kubePod(name, 'a', { controller: { kind: 'DaemonSet', name: name.replace(/-\w+$/, '') }, ...more })
const mirror = (name: string, more: Partial<KubePod> = {}) =>
  kubePod(name, 'a', { mirror: true, controller: { kind: 'Node', name: 'a' }, ...more })
const notReady = { ready: false, detail: 'Kubelet stopped posting node status' }
const nothing: Unwell = { pods: [], hanging: [], attachments: [] }

const before: [what: string, facts: Partial<KubernetesFacts>, node: Partial<KubeNode>, unwell: Unwell | undefined][] = [
  ['nothing', { pods: [daemon('agent-1'), kubePod('web-1', 'a', { ready: false })] }, {}, undefined],
  ['a Node that is not ready', {}, notReady, { ...nothing, node: notReady.detail }],
  [
    'pods that stand with it, by what runs them',
    { pods: [daemon('agent-1', { ready: false }), mirror('kube-scheduler-a', { ready: false }), daemon('cni-1')] },
    {},
    { ...nothing, pods: ['DaemonSet shop/agent', 'shop/kube-scheduler-a'] },
  ],
  [
    'pods that hang in Terminating, and none that just ends',
    {
      now: '2026-01-01T10:00:00Z',
      pods: [
        kubePod('web-1', 'a', { terminating: true, endsAt: '2026-01-01T09:00:00Z' }),
        kubePod('web-2', 'a', { terminating: true, endsAt: '2026-01-01T10:00:20Z' }),
        kubePod('web-3', 'b', { terminating: true, endsAt: '2026-01-01T09:00:00Z' }),
      ],
    },
    {},
    { ...nothing, hanging: ['shop/web-1'] },
  ],
  [
    'attachments without a volume',
    {
      attachments: [
        { name: 'csi-1', node: 'a', volume: 'pv-1', attached: true, orphaned: true },
        { name: 'csi-2', node: 'a', volume: 'pv-2', attached: true },
      ],
    },
    {},
    { ...nothing, attachments: ['csi-1'] },
  ],
]

for (const [what, facts, node, unwell] of before)
  test(`is unwell before the run: ${what}`, () =>
    assert.equal(unwellNow(kubernetesFacts([], facts), kubeNode('a', '10.0.0.1', node)), unwell))

type After = {
  what: string
  node?: Partial<KubeNode>
  pods?: KubePod[]
  unwell?: Partial<Unwell>
  role?: 'controlplane'
  missing: string
  asBefore: string[]
}

const agent = 'DaemonSet shop/agent'
const after: After[] = [
  { what: 'a node that is well', missing: '', asBefore: [] },
  { what: 'a Node that was ready', node: notReady, missing: notReady.detail, asBefore: [] },
  {
    what: 'nothing of a Node that was silent before',
    node: { ...notReady, bootId: 'before' },
    pods: [daemon('agent-1', { ready: false })],
    unwell: { node: 'silent' },
    missing: '',
    asBefore: [`its Node is not ready (${notReady.detail})`],
  },
  {
    what: 'all of a Node that was silent before, and speaks now',
    node: { bootId: 'before' },
    unwell: { node: 'silent' },
    missing: 'its kubelet has not registered since the boot',
    asBefore: [],
  },
  {
    what: 'no pod of a DaemonSet that was unwell there, whatever the pod is called now',
    pods: [daemon('agent-2', { ready: false })],
    unwell: { pods: [agent] },
    missing: '',
    asBefore: [`${agent} is not ready`],
  },
  {
    what: 'pods that were well',
    pods: [daemon('agent-2', { ready: false }), daemon('cni-1', { ready: false })],
    unwell: { pods: [agent] },
    missing: 'shop/cni-1',
    asBefore: [`${agent} is not ready`],
  },
  { what: 'nothing that got well', pods: [daemon('agent-2')], unwell: { pods: [agent] }, missing: '', asBefore: [] },
  { what: 'static pods of a control plane', role: 'controlplane', missing: 'no static pod is there yet', asBefore: [] },
]

for (const { what, node = {}, pods = [], unwell, role = 'worker', missing, asBefore } of after)
  test(`after the run is waited for ${what}`, () => {
    const seen = { node: kubeNode('a', '10.0.0.1', { bootId: 'now', ...node }), pods, bootId: 'now' }
    const planned = { kubeletVersion: 'v1.36.1', ...(unwell ? { unwell: { ...nothing, ...unwell } } : {}) }
    assert.equal(settling(seen, planned, role), { missing, asBefore })
  })

const foo = 'services: ext-foo not running'
const machines: [what: string, unmet: string[] | undefined, now: Parameters<typeof isAsWell>[1], well: boolean][] = [
  ['ready', undefined, { stage: 'running', ready: true, unmet: [] }, true],
  ['ready now', [foo], { stage: 'running', ready: true, unmet: [] }, true],
  ['unmet as before', [foo, 'time: not synced'], { stage: 'running', ready: false, unmet: [foo] }, true],
  ['unmet in other words', [foo], { stage: 'running', ready: false, unmet: [`${foo}, kubelet not running`] }, false],
  ['unmet in something more', [foo], { stage: 'running', ready: false, unmet: [foo, 'time: not synced'] }, false],
  ['not ready, and nobody says why', [foo], { stage: 'running', ready: false, unmet: [] }, false],
  ['still booting', [foo], { stage: 'booting', ready: false, unmet: [foo] }, false],
  ['not ready, and was', undefined, { stage: 'running', ready: false, unmet: [foo] }, false],
]

for (const [what, unmet, now, well] of machines)
  test(`a machine that is ${what} is ${well ? '' : 'not '}as well as before`, () => {
    assert.is(isAsWell(unmet === undefined ? {} : { unmet }, now), well)
    // whatever it was before, no other control plane goes down beside it
    if (!now.ready) assert.is(controlPlaneObjections('a', now).length, 1)
  })

test('the plan names all of it in one line, and the verdict says that it is as before', () => {
  const unwell = { node: 'silent', pods: [agent], hanging: ['shop/web-1'], attachments: ['csi-1'] }
  const kubernetes = kubernetesPlan({ name: 'a', unwell })
  assert.equal(unwellNote(nodePlan('a', 'worker', { before: { unmet: [foo] }, kubernetes })), [
    `a is unwell now, which is not waited for afterwards: ${foo}, its Node is not ready (silent), ${agent} is not ready, shop/web-1 hangs in Terminating, the volume of csi-1 is gone`,
  ])
  assert.equal(unwellNote(nodePlan('a', 'worker')), [])
  assert.is(verdictText('upgraded', { unmet: [foo] }), 'upgraded, unwell as before')
  assert.is(verdictText('upgraded', { unsettled: [agent] }), 'upgraded, unwell as before')
  assert.is(verdictText('upgraded', {}), 'upgraded')
  assert.is(verdictText('stuck', { unmet: [foo] }), 'stuck')
})

test.run()
