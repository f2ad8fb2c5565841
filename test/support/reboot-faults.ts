/** Each fault that a node can meet in its turn, once for a reboot: two of three control planes are asked for. */
import * as assert from 'uvu/assert'
import type { FaultName } from '../../lab/fault-catalogue.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import type { TestLab } from './lab.ts'
import { changesOf } from './lab-changes.ts'
import { type Fault, type FaultRow, meetFault } from './meet-fault.ts'

const nodes = ['k8s-1', 'k8s-2'] as const

/** The fault on both: it strikes the one that goes first, whichever that will be. */
const onBoth = (name: FaultName, more: Omit<Partial<Fault>, 'name' | 'node' | 'when'> = {}, when?: string): Fault[] =>
  nodes.map((node) => ({ ...more, name, node, ...(when && { when: `${node} ${when}` }) }))

const refused: Verdict[] = ['refused', 'refused']
const unchanged: Verdict[] = ['unchanged', 'unchanged']
const rebooted: Verdict[] = ['rebooted', 'rebooted']
const well = { code: 0, verdicts: rebooted, reasons: [] } as const
const patient = { observe: '12s' }

export type RebootFault = Omit<FaultRow, 'nodes'>

/** In a lab without Kubernetes. */
export const OF_TALOS: readonly RebootFault[] = [
  {
    title: 'answers-garbage at the start changes nothing',
    faults: [{ name: 'answers-garbage', node: 'k8s-2' }],
    first: { code: 69, verdicts: unchanged, reasons: ['garbage-answer'] },
    isHarmless: true,
  },
  {
    title: 'wrong-ca at the start changes nothing',
    faults: [{ name: 'wrong-ca', node: 'k8s-1' }],
    first: { code: 69, verdicts: unchanged, reasons: ['wrong-ca'] },
    isHarmless: true,
  },
  {
    title: 'unreachable-for of a control plane that is not asked for: the gate says no',
    faults: [{ name: 'unreachable-for', node: 'k8s-3', seconds: 1_000_000 }],
    deadlines: patient,
    first: {
      code: 77,
      verdicts: refused,
      reasons: ['control-plane-unreachable', 'etcd-member-unhealthy', 'etcd-quorum'],
    },
    isHarmless: true,
  },
  {
    title: 'etcd-alarm-nospace is refused',
    faults: [{ name: 'etcd-alarm-nospace', node: 'k8s-2' }],
    first: { code: 77, verdicts: refused, reasons: ['etcd-alarm'] },
    isHarmless: true,
  },
  {
    title: 'etcd-alarms-unreadable is refused',
    faults: [{ name: 'etcd-alarms-unreadable', node: 'k8s-3' }],
    first: { code: 77, verdicts: refused, reasons: ['etcd-unreadable'] },
    isHarmless: true,
  },
  {
    title: 'etcd-learner is refused',
    faults: [{ name: 'etcd-learner', node: 'k8s-1' }],
    first: { code: 77, verdicts: refused, reasons: ['etcd-learner'] },
    isHarmless: true,
  },
  {
    title: 'etcd-member-down goes first: that is the cure',
    faults: [{ name: 'etcd-member-down', node: 'k8s-2' }],
    deadlines: patient,
    first: well,
  },
  {
    title: 'config-staged is refused: a reboot would try it',
    faults: [{ name: 'config-staged', node: 'k8s-2' }],
    first: { code: 77, verdicts: refused, reasons: ['configuration-pending'] },
    isHarmless: true,
  },
  {
    title: 'config-unreadable after the request: it never listens, and goes on when somebody mends it',
    faults: onBoth('config-unreadable', {}, 'reboot-requested'),
    deadlines: { ...patient, reboot: '10s' },
    first: { code: 1, verdicts: ['unreachable', 'unchanged'], reasons: ['never-returned'] },
    meanwhile: { code: 69, reasons: ['node-unreachable'] },
    last: rebooted,
  },
  {
    title: 'never-returns ends at the deadline with nobody else touched',
    faults: onBoth('never-returns'),
    deadlines: { ...patient, reboot: '10s' },
    first: { code: 1, verdicts: ['unreachable', 'unchanged'], reasons: ['never-returned'] },
    meanwhile: { code: 69, reasons: ['node-unreachable'] },
    last: rebooted,
  },
  {
    title: 'returns-not-ready ends at the deadline; that node goes first the next time',
    faults: onBoth('returns-not-ready'),
    deadlines: { ready: '6s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged'], reasons: ['never-ready'] },
    last: rebooted,
  },
  {
    title: 'etcd-slow-to-catch-up beyond the deadline: nobody else goes down',
    faults: onBoth('etcd-slow-to-catch-up', { seconds: 1_000_000 }),
    deadlines: { etcd: '6s' },
    first: { code: 1, verdicts: ['stuck', 'unchanged'], reasons: ['etcd-not-caught-up'] },
    last: rebooted,
  },
  {
    title: 'etcd-alarm-nospace in the middle: the gate lets nobody through any more',
    faults: [{ name: 'etcd-alarm-nospace', node: 'k8s-3', when: 'any ready' }],
    first: { code: 77, verdicts: ['rebooted', 'refused'], reasons: ['etcd-alarm'] },
    last: rebooted,
  },
  {
    title: 'config-staged in the middle: what is staged is not tried on the way',
    faults: nodes.map((node) => ({ name: 'config-staged', node, when: 'any ready' })),
    first: { code: 77, verdicts: ['rebooted', 'refused'], reasons: ['configuration-pending'] },
    last: rebooted,
  },
  {
    title: 'config-changed and log-unreadable: what is not to change may be so',
    faults: [{ name: 'config-changed', node: 'k8s-1' }, ...onBoth('log-unreadable')],
    first: well,
  },
  {
    title: 'power-cut on the way down: whoever is back is rebooted',
    faults: onBoth('power-cut', { seconds: 60 }, 'reboot-requested'),
    first: well,
  },
  {
    title: 'behind-endpoints and proxy-resets: asked through others',
    faults: [
      { name: 'behind-endpoints', node: 'k8s-1' },
      { name: 'proxy-resets', node: 'k8s-2' },
    ],
    first: well,
  },
  {
    title:
      'slow-boot, connection-lost-during-reboot, reboot-request-lost, unreachable-for and etcd-slow-to-catch-up pass',
    faults: [
      { name: 'slow-boot', node: 'k8s-1', seconds: 100 },
      { name: 'connection-lost-during-reboot', node: 'k8s-2' },
      { name: 'reboot-request-lost', node: 'k8s-1' },
      { name: 'unreachable-for', node: 'k8s-2', seconds: 300, when: 'k8s-2 down' },
      ...onBoth('etcd-slow-to-catch-up', { seconds: 200 }),
    ],
    first: well,
  },
]

const upgrade = { soak: '500ms' }
const inVain = { code: 1, verdicts: unchanged } as const

/** In a lab with it. */
export const OF_KUBERNETES: readonly RebootFault[] = [
  {
    title: 'pdb-blocks-forever is refused before anything changes',
    faults: [{ name: 'pdb-blocks-forever', node: 'k8s-2' }],
    operations: { upgrade },
    first: { code: 77, verdicts: refused, reasons: ['drain-would-block'] },
    says: /PodDisruptionBudget \S+\/lab-blocks-k8s-2 allows no disruption of /,
    isHarmless: true,
  },
  {
    title: 'pod-hangs is refused before anything changes',
    faults: [{ name: 'pod-hangs', node: 'k8s-2' }],
    operations: { upgrade },
    first: { code: 77, verdicts: refused, reasons: ['drain-would-block'] },
    says: /default\/lab-hangs-on-\S+ hangs in Terminating/,
    isHarmless: true,
  },
  {
    title: 'node-object-deleted is refused before anything changes',
    faults: [{ name: 'node-object-deleted', node: 'k8s-2' }],
    operations: { upgrade },
    first: { code: 77, verdicts: refused, reasons: ['kubernetes-node-unknown'] },
    isHarmless: true,
  },
  {
    title: 'evictions-refused by a webhook: its words are told',
    faults: onBoth('evictions-refused'),
    operations: { upgrade, drain: { timeout: '8s', whenBlocked: 'try' } },
    first: { ...inVain, reasons: ['drain-blocked'] },
    says: /the webhook drain-cleaner\.lab\.example refuses the eviction/,
    isHarmless: true,
  },
  {
    title: 'pdb-blocks-forever that is tried: the drain is given up in order',
    faults: onBoth('pdb-blocks-forever'),
    operations: { upgrade, drain: { timeout: '8s', whenBlocked: 'try' } },
    first: { ...inVain, reasons: ['drain-blocked'] },
    says: /PodDisruptionBudget \S+\/lab-blocks-k8s-\d allows no disruption of /,
    isHarmless: true,
  },
  {
    title: 'pod-never-terminates: the drain is given up in order, and the pod is named',
    faults: onBoth('pod-never-terminates'),
    operations: { upgrade, drain: { timeout: '8s' } },
    first: { ...inVain, reasons: ['drain-blocked'] },
    says: /was evicted and does not end/,
    isHarmless: true,
  },
  {
    title: 'volume-never-detaches: the node stays up, and the claim is named',
    faults: onBoth('volume-never-detaches'),
    operations: { upgrade, drain: { timeout: '60s', detachTimeout: '4s' } },
    first: { ...inVain, reasons: ['volumes-attached'] },
    says: /still attached: default\/data-db-\d/,
    isHarmless: true,
  },
  {
    title: 'node-object-deleted in the middle of a drain: the node stays up',
    faults: onBoth('node-object-deleted', {}, 'cordoned'),
    operations: { upgrade, drain: { timeout: '8s' } },
    first: { ...inVain, reasons: ['cordon-failed'] },
    says: /Kubernetes has no such Node/,
    isHarmless: true,
    last: rebooted,
  },
  {
    title:
      'pdb-blocks-for, apiserver-down-for, apiserver-flaps, kubelet-slow-ready, renamed-at-boot and foreign-cordon pass',
    faults: [
      { name: 'foreign-cordon', node: 'k8s-1' },
      ...onBoth('kubelet-slow-ready', { seconds: 120 }),
      ...onBoth('apiserver-down-for', { seconds: 160 }, 'machine.down'),
      { name: 'pdb-blocks-for', node: 'k8s-2', seconds: 1600 },
      { name: 'apiserver-flaps', node: 'k8s-3' },
      { name: 'renamed-at-boot', node: 'k8s-2' },
    ],
    operations: { upgrade, drain: { timeout: '10m', whenBlocked: 'try' } },
    first: well,
  },
]

/** A lab serves for many rows: every node is well again after each of them. */
export async function meetInReboot(lab: TestLab, row: RebootFault): Promise<void> {
  const from = lab.log().length
  const { order } = await meetFault('reboot', lab, { ...row, nodes })
  const others = changesOf(lab.log().slice(from)).filter((change) => /^install|k8s-3$/.test(change))
  assert.equal(others, [], 'what nobody asked for')
  if (row.faults.some(({ name }) => name === 'etcd-member-down')) assert.is(order[0], 'k8s-2')
}
