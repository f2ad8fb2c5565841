import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkLog, type Invariant } from '../../lab/check.ts'
import type { AuditEvent } from '../../lab/kubernetes/servers.ts'
import { Witness } from '../../lab/kubernetes/witness.ts'
import type { LabEvent, LoggedEvent } from '../../lab/lab-event.ts'
import { LabLog } from '../../lab/log.ts'

const image = 'factory.talos.dev/metal-installer:v1.13.9'
const bootId = 'b'

function logOf(events: readonly LabEvent[]): LoggedEvent[] {
  return events.map((event, index) => ({ at: new Date(index * 1000).toISOString(), ...event }))
}

function up(controlPlanes: number, workers = 0): LabEvent {
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`)
  return {
    type: 'lab.up',
    speed: 1,
    nodes: [
      ...names('k8s', controlPlanes).map((name) => ({ name, role: 'controlplane' as const, version: 'v1.13.5' })),
      ...names('worker', workers).map((name) => ({ name, role: 'worker' as const, version: 'v1.13.5' })),
    ],
  }
}

const call = { endpoint: '127.0.0.11', caller: 'c', roles: ['os:admin'], code: 'OK' }
const rpc = (node: string, name: string): LabEvent => ({
  ...{ type: 'rpc', node, method: `/machine.MachineService/${name}`, ...call },
})
const looks = [1, 2, 3, 4, 5].map((n) => rpc(`k8s-${n}`, 'EtcdStatus'))
/** Without the look before it, that anybody takes who looks at all. */
const blindly = (node: string): LabEvent => ({
  ...{ type: 'reboot.requested', node, actorId: 'a', mode: 'DEFAULT', bootId, by: 'reboot' },
})
const asked = (node: string): LabEvent[] => [...looks, blindly(node)]
const cut = (node: string): LabEvent[] => [
  { type: 'machine.down', node, bootId, by: 'power-cut' },
  { type: 'etcd.stopped', node, by: 'fault' },
]
const goesDown = (node: string): LabEvent[] => [
  { type: 'etcd.stopped', node, by: 'machine' },
  { type: 'machine.down', node, bootId },
]
const runs = (node: string): LabEvent[] => [
  { type: 'machine.booting', node, bootId, version: 'v1.13.9', slot: 'B' },
  { type: 'etcd.healthy', node },
  { type: 'machine.running', node, bootId, version: 'v1.13.9', slot: 'B' },
]
const ready = (node: string): LabEvent => ({ type: 'machine.ready', node, bootId, version: 'v1.13.9' })
const reboots = (node: string) => [...asked(node), ...goesDown(node), ...runs(node), ready(node)]
const installs = (node: string): LabEvent[] => [
  { type: 'install.started', node, image, bootId },
  { type: 'install.finished', node, image, bootId },
]
const gap = (node: string, ms: number, running: number): LabEvent => ({
  ...{ type: 'etcd.gap', node, ms, running, ended: true, reason: 'no leader' },
})

function broken(events: readonly LabEvent[]): Invariant[] {
  return [...new Set(checkLog(logOf(events)).map(({ invariant }) => invariant))]
}

test('A rolling upgrade of three control planes breaks nothing', () => {
  const rolling = ['k8s-1', 'k8s-2', 'k8s-3'].flatMap((node) => [...installs(node), ...reboots(node)])
  assert.equal(broken([up(3), ...rolling, { type: 'lab.down' }]), [])
})

test('Two control planes down at once break one-control-plane-down', () => {
  const log = [up(3), ...asked('k8s-1'), ...goesDown('k8s-1'), ...goesDown('k8s-2')]
  assert.equal(broken(log), ['one-control-plane-down'])
})

test('A worker that is down with a control plane breaks nothing', () => {
  const log = [up(3, 1), ...asked('k8s-1'), ...goesDown('k8s-1'), ...asked('worker-1')]
  assert.equal(broken([...log, { type: 'machine.down', node: 'worker-1', bootId }]), [])
})

test('A reboot while another control plane is not ready breaks others-ready', () => {
  assert.equal(broken([up(3), ...asked('k8s-1'), ...goesDown('k8s-1'), ...runs('k8s-1'), ...asked('k8s-2')]), [
    'others-ready',
  ])
})

test('Two reboots asked for in the same moment break etcd-quorum', () => {
  assert.equal(broken([up(3), ...asked('k8s-1'), ...asked('k8s-2')]), ['others-ready', 'etcd-quorum'])
})

test('A reboot while the etcd of another of three is dead breaks etcd-quorum', () => {
  assert.equal(broken([up(3), { type: 'etcd.stopped', node: 'k8s-1', by: 'fault' }, ...asked('k8s-2')]), [
    'etcd-quorum',
  ])
})

test('A reboot of the one member whose etcd is dead breaks nothing', () => {
  assert.equal(broken([up(3), { type: 'etcd.stopped', node: 'k8s-1', by: 'fault' }, ...asked('k8s-1')]), [])
})

test('A reboot while another member lags breaks etcd-quorum, and not any more when it has caught up', () => {
  const lagging: LabEvent = { type: 'etcd.lagging', node: 'k8s-1' }
  const back: LabEvent[] = [...asked('k8s-1'), ...goesDown('k8s-1'), lagging, ...runs('k8s-1'), ready('k8s-1')]
  assert.equal(broken([up(3), ...back, ...asked('k8s-2')]), ['etcd-quorum'])
  assert.equal(broken([up(3), ...back, { type: 'etcd.caught-up', node: 'k8s-1' }, ...asked('k8s-2')]), [])
})

test('A member that is down of five leaves room for a reboot', () => {
  assert.equal(broken([up(5), { type: 'etcd.stopped', node: 'k8s-1', by: 'fault' }, ...asked('k8s-2')]), [])
})

test('The only control plane, or each of two in its turn, may be rebooted', () => {
  assert.equal(broken([up(1), ...reboots('k8s-1'), gap('k8s-1', 60_000, 0)]), [])
  assert.equal(broken([up(2), ...reboots('k8s-1'), ...reboots('k8s-2'), gap('k8s-2', 60_000, 1)]), [])
})

test('One of two control planes may not be rebooted while the other one has no etcd', () => {
  assert.equal(broken([up(2), { type: 'etcd.stopped', node: 'k8s-1', by: 'fault' }, ...asked('k8s-2')]), [
    'etcd-quorum',
  ])
})

test('A control plane that is told to reboot without a look at etcd, or on an old one, breaks looked-last', () => {
  const waits = Array.from({ length: 61 }, () => ready('k8s-3'))
  assert.equal(broken([up(3), blindly('k8s-1')]), ['looked-last'])
  assert.equal(broken([up(3), ...looks, ...waits, blindly('k8s-1')]), ['looked-last'])
  const unanswered = looks.map((look) => ({ ...look, code: 'Unavailable' }) as LabEvent)
  assert.equal(broken([up(3), ...unanswered, blindly('k8s-1')]), ['looked-last'])
  assert.equal(broken([up(3), ...looks.slice(0, 2), blindly('k8s-1')]), ['looked-last'], 'nobody looked at k8s-3')
  assert.equal(broken([up(3), ...waits, ...asked('k8s-1')]), [])
  assert.equal(broken([up(1), blindly('k8s-1')]), [])
  assert.equal(broken([up(1, 1), blindly('worker-1')]), [])
})

test('A look that is older than the last eviction, or than the hand-over, breaks looked-last', () => {
  const evicted = (node: string, code = 201, dryRun = false): LabEvent => ({
    ...{ type: 'pod.evicted', node, pod: 'shop/web-1', code, dryRun },
  })
  for (const prepared of [evicted('k8s-1'), rpc('k8s-1', 'EtcdForfeitLeadership')]) {
    assert.equal(broken([up(3), ...looks, prepared, blindly('k8s-1')]), ['looked-last'])
    // the node's own word, as that it leads no more, tells nothing of the others
    assert.equal(broken([up(3), ...looks, prepared, rpc('k8s-1', 'EtcdStatus'), blindly('k8s-1')]), ['looked-last'])
    assert.equal(broken([up(3), prepared, ...asked('k8s-1')]), [])
  }
  const unrelated = [evicted('k8s-2'), evicted('k8s-1', 429), evicted('k8s-1', 201, true)]
  assert.equal(broken([up(3), ...looks, ...unrelated, blindly('k8s-1')]), [])
})

test('A member that was lost and came back between the look and the request breaks looked-last', () => {
  const died: LabEvent[] = [
    { type: 'etcd.stopped', node: 'k8s-2', by: 'fault' },
    { type: 'etcd.healthy', node: 'k8s-2' },
  ]
  assert.equal(broken([up(3), ...looks, ...died, blindly('k8s-1')]), ['looked-last'])
  assert.equal(broken([up(3), ...died, ...asked('k8s-1')]), [])
  const flickered: LabEvent[] = [
    { type: 'machine.not-ready', node: 'k8s-3', bootId, unmet: 'services' },
    ready('k8s-3'),
  ]
  assert.equal(broken([up(3), ...looks, ...flickered, blindly('k8s-1')]), ['looked-last'])
})

test('A member lost after the last look, right before the request, breaks the quorum as well', () => {
  assert.equal(broken([up(3), ...looks, ...cut('k8s-2'), blindly('k8s-1')]), [
    'others-ready',
    'etcd-quorum',
    'looked-last',
  ])
})

test('A power cut breaks nothing by itself, and neither does one that meets a reboot which was asked for before', () => {
  assert.equal(broken([up(3), ...cut('k8s-1'), ...cut('k8s-2')]), [])
  assert.equal(broken([up(3), ...asked('k8s-1'), ...cut('k8s-2'), ...goesDown('k8s-1')]), [])
  assert.equal(broken([up(3), ...cut('k8s-2'), ...asked('k8s-1'), ...goesDown('k8s-1')]), [
    'others-ready',
    'etcd-quorum',
    'one-control-plane-down',
  ])
})

test('A second installation before a boot breaks one-install-a-boot', () => {
  assert.equal(broken([up(3), ...installs('k8s-1'), ...installs('k8s-1')]), ['one-install-a-boot'])
  assert.equal(broken([up(3), ...installs('k8s-1'), ...reboots('k8s-1'), ...installs('k8s-1')]), [])
})

test('A slot that is lost breaks one-install-a-boot', () => {
  const lost: LabEvent = { type: 'slot.lost', node: 'k8s-1', bootId, version: 'v1.13.5', overwrittenWith: 'v1.13.9' }
  assert.equal(broken([up(3), lost]), ['one-install-a-boot'])
})

test('An installation that failed may be tried again', () => {
  const failed: LabEvent = { type: 'install.failed', node: 'k8s-1', image, bootId, reason: 'disk' }
  const started: LabEvent = { type: 'install.started', node: 'k8s-1', image, bootId }
  assert.equal(broken([up(3), started, failed, ...installs('k8s-1')]), [])
})

test('An installation that is cut off with its machine breaks install-not-cut-off, and one that a fault ended does not', () => {
  const cut = { type: 'install.cut-off', node: 'k8s-1', image, bootId, reason: 'the machine went down' } as const
  assert.equal(broken([up(3), { ...cut, by: 'machine' }]), ['install-not-cut-off'])
  assert.equal(broken([up(3), { ...cut, by: 'fault' }]), [])
})

test('A configuration that changes between installation and reboot, or is staged when one begins, breaks config-kept', () => {
  const config = (how: 'at once' | 'staged' | 'taken back'): LabEvent => ({
    type: 'config.changed',
    node: 'k8s-1',
    how,
  })
  for (const how of ['at once', 'staged'] as const) {
    assert.equal(broken([up(3), ...installs('k8s-1'), config(how), ...reboots('k8s-1')]), ['config-kept'], how)
  }
  assert.equal(broken([up(3), config('staged'), ...installs('k8s-1')]), ['config-kept'])
  assert.equal(broken([up(3), config('at once'), ...installs('k8s-1'), ...reboots('k8s-1')]), [])
  const takenBack = [config('staged'), config('taken back')]
  assert.equal(broken([up(3), ...installs('k8s-1'), ...takenBack, ...reboots('k8s-1')]), [])
  assert.equal(broken([up(3), config('staged'), ...reboots('k8s-1'), ...installs('k8s-1')]), [])
})

test('A wiped disk breaks nothing-wiped', () => {
  assert.equal(broken([up(3), { type: 'machine.wiped', node: 'k8s-1', what: 'EPHEMERAL' }]), ['nothing-wiped'])
})

test('A long gap of writes breaks etcd-writes; the length of an election does not', () => {
  assert.equal(broken([up(3), gap('k8s-1', 2500, 1)]), [])
  assert.equal(broken([up(3), gap('k8s-1', 6000, 1)]), ['etcd-writes'])
})

test('A gap while a majority of the members runs is a slow machine, up to half a minute', () => {
  assert.equal(broken([up(3), gap('k8s-1', 9104, 2)]), [])
  assert.equal(broken([up(5), gap('k8s-1', 9104, 2)]), ['etcd-writes'])
  assert.equal(broken([up(3), gap('k8s-1', 40_000, 3)]), ['etcd-writes'])
})

test('A gap that faults alone explain breaks nothing', () => {
  const struck = (node: string): LabEvent => ({ type: 'etcd.stopped', node, by: 'fault' })
  assert.equal(broken([up(3), struck('k8s-1'), struck('k8s-2'), gap('k8s-3', 20_000, 1)]), [])
  assert.equal(broken([up(3), struck('k8s-1'), gap('k8s-3', 20_000, 1)]), ['etcd-writes'])
})

test('A reboot of a node with pods that could run elsewhere breaks drained', () => {
  const loaded = (evictable: string[]): LabEvent => ({ type: 'node.loaded', node: 'worker-1', evictable })
  assert.equal(broken([up(1, 2), ...asked('worker-1'), loaded([])]), [])
  assert.equal(broken([up(1, 2), ...asked('worker-1'), loaded(['shop/web-1'])]), ['drained'])
})

test('A pod that is deleted past a budget which allows nothing breaks budgets-kept; others may be deleted', () => {
  const deleted: LabEvent = { type: 'pod.deleted', node: 'worker-1', pod: 'shop/web-1', by: 'kubectl' }
  assert.equal(broken([up(1, 2), deleted]), [])
  assert.equal(broken([up(1, 2), { ...deleted, budget: 'web' }]), ['budgets-kept'])
})

test('A node that a run leaves cordoned breaks cordons-lifted; the cordon of somebody else may stay', () => {
  const cordoned: LabEvent = { type: 'node.cordoned', node: 'worker-1' }
  const lifted: LabEvent = { type: 'node.uncordoned', node: 'worker-1', by: 'kubectl', run: 'r' }
  assert.equal(broken([up(1, 2), { ...cordoned, run: 'r' }, lifted]), [])
  assert.equal(broken([up(1, 2), cordoned]), [])
  assert.equal(broken([up(1, 2), { ...cordoned, run: 'r' }]), ['cordons-lifted'])
  assert.equal(
    broken([up(1, 2), { ...cordoned, node: 'worker-1b', run: 'r' }]),
    ['cordons-lifted'],
    'of a renamed node',
  )
  assert.equal(broken([up(1, 2), { ...cordoned, run: 'r' }, { type: 'lab.down' }]), ['cordons-lifted'])
})

test('A cordon of somebody else that is lifted breaks foreign-cordons-kept, but for a cure', () => {
  const cordoned: LabEvent = { type: 'node.cordoned', node: 'worker-1' }
  const lifted = (by: string): LabEvent => ({ type: 'node.uncordoned', node: 'worker-1', by })
  assert.equal(broken([up(1, 2), cordoned, lifted('lab')]), [])
  assert.equal(broken([up(1, 2), cordoned, lifted('kubectl')]), ['foreign-cordons-kept'])
})

test('A cordon beside a mark that was there before is of somebody else: to lift it breaks foreign-cordons-kept', () => {
  const log = new LabLog()
  const said: LabEvent[] = []
  log.on((event) => said.push(event))
  const none = { all: () => [], find: () => undefined }
  const witness = new Witness({ log, pods: none, nodes: none, budgets: none, nodeOf: (machine) => machine })
  const mark = (at: string) => JSON.stringify({ run: 'r', at })
  const is = (unschedulable: boolean, annotation?: string, how: Partial<AuditEvent> = {}) => {
    const annotations = annotation === undefined ? {} : { 'talos-workflows/cordon': annotation }
    const spec = unschedulable ? { unschedulable } : {}
    witness.note({
      ...{ verb: 'patch', requestURI: '', userAgent: 'kubectl/v1.36.1 (linux)', responseStatus: { code: 200 } },
      objectRef: { resource: 'nodes', name: 'worker-1' },
      responseObject: { metadata: { name: 'worker-1', annotations }, spec },
      ...how,
    })
  }
  is(false)
  is(true, mark('1'), { requestURI: '/api/v1/nodes/worker-1?dryRun=All' })
  is(true, mark('1'), { responseStatus: { code: 409 } })
  is(true, mark('1')) // a run
  is(false, mark('1')) // kubectl uncordon
  assert.equal(broken([up(1, 2), ...said]), [])
  is(true, mark('1')) // kubectl cordon
  assert.equal(broken([up(1, 2), ...said]), [])
  is(false) // the next run
  assert.equal(broken([up(1, 2), ...said]), ['foreign-cordons-kept'])
  said.length = 0
  is(false, mark('1'))
  is(true, mark('2')) // a run over what its mark left
  is(false)
  assert.equal(broken([up(1, 2), ...said]), [])
})

test('A Lease that is taken from a run which lives breaks lease-kept; a dead run is followed at once, a silent one later', () => {
  const holds = (holder: string): LabEvent => ({ type: 'lease.changed', holder, seconds: 30 })
  const tries = (holder: string): LabEvent => ({ type: 'lease.refused', holder })
  const given: LabEvent = { type: 'lease.changed' }
  const silence = Array.from({ length: 30 }, () => ready('k8s-1'))
  assert.equal(broken([up(3), holds('a'), holds('a'), given, holds('b'), tries('c'), given]), [])
  assert.equal(broken([up(3), holds('a'), holds('b'), holds('b')]), [])
  assert.equal(broken([up(3), holds('a'), ...silence, holds('b'), tries('a')]), [])
  assert.equal(broken([up(3), holds('a'), holds('b'), tries('a')]), ['lease-kept'])
  assert.equal(broken([up(3), holds('a'), holds('b'), holds('a')]), ['lease-kept'])
})

test('What happens before the lab is up and after it goes down does not count', () => {
  const bad = [...goesDown('k8s-1'), ...goesDown('k8s-2')]
  assert.equal(broken([...bad, up(3), { type: 'lab.down' }, ...bad]), [])
})

test('A breach tells when and what', () => {
  const [breach] = checkLog(logOf([up(3), ...asked('k8s-1'), ...goesDown('k8s-1'), ...goesDown('k8s-2')]))
  assert.is(breach?.at, '1970-01-01T00:00:10.000Z')
  assert.is(breach?.sentence, 'k8s-2 went down while k8s-1 was down')
})

test.run()
