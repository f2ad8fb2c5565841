// limit: 400 s
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Invariant } from '../../lab/check.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { describeLab } from '../../lab/status.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { untilWell } from '../support/lab-changes.ts'
import { budgetOver, daemon, database, deployment } from '../support/workloads.ts'

const test = suite("the lab's Kubernetes")
let lab: TestLab

test.before(async () => {
  const workloads = [
    deployment('web', 2),
    budgetOver('web', { minAvailable: 2 }),
    database('db', 1),
    daemon('agent'),
    deployment('api', 2, {}),
  ]
  lab = await startLab({ kubernetes: true, workloads, speed: 40 })
})
test.after(() => lab.down())

const kubectl = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await lab.kubectl(argv)
  assert.is(code, 0, stderr)
  return stdout
}
const met = (...condition: string[]) => kubectl('wait', ...condition, '--timeout=120s')
const at = (node: string) => ['-e', lab.addresses[node] ?? '', '-n', lab.addresses[node] ?? '']
const nodeOf = (pod: string) => kubectl('get', 'pod', pod, '--output=jsonpath={.spec.nodeName}')
const podsOf = async (app: string) =>
  (await kubectl('get', 'pods', `--selector=app=${app}`, '--output=jsonpath={.items[*].metadata.name}')).split(' ')
const logged = (fits: (event: LoggedEvent) => boolean, from: number) => lab.logged(fits, { from })

test('has a Node for each machine with its address, its version and its role', async () => {
  const rows = (await kubectl('get', 'nodes', '--output=wide', '--no-headers')).trim().split('\n')
  assert.equal(
    rows.map((row) =>
      row
        .split(/ {2,}|\t/)
        .slice(0, 6)
        .filter((_, i) => i !== 3),
    ),
    Object.entries(lab.addresses).map(([name, address]) => [name, 'Ready', 'control-plane', 'v1.36.1', address]),
  )
})

test('runs what was declared, what Talos brings, and the static pods of each control plane', async () => {
  const rows = (await kubectl('get', 'pods', '--all-namespaces', '--no-headers')).trim().split('\n')
  assert.ok(
    rows.every((row) => / 1\/1 +Running /.test(row)),
    rows.join('\n'),
  )
  const named = (part: string) => rows.filter((row) => row.includes(part)).length
  assert.equal(
    ['web-', 'db-', 'agent-', 'coredns-', 'kube-proxy-', 'kube-apiserver-k8s-', 'kube-scheduler-k8s-'].map(named),
    [2, 1, 3, 2, 3, 3, 3],
  )
})

test('passes the health check of talosctl, from here and from a control plane', async () => {
  for (const where of ['--server=false', '--server']) {
    const { code, stderr } = await lab.talosctl([...at('k8s-1'), 'health', where, '--wait-timeout=120s'])
    assert.is(code, 0, stderr)
  }
})

test('refuses an eviction that a budget forbids, as a drain sees it', async () => {
  const [pod = ''] = await podsOf('web')
  const node = await nodeOf(pod)
  const { code, stderr } = await lab.kubectl(['drain', node, '--ignore-daemonsets', '--timeout=4s'])
  assert.is(code, 1)
  assert.match(stderr, `Cannot evict pod as it would violate the pod's disruption budget.`)
  assert.match(await kubectl('get', 'node', node), 'SchedulingDisabled')
  assert.ok(lab.log().some((e) => e.type === 'pod.evicted' && e.code === 429 && e.pod === `default/${pod}`))
  await kubectl('patch', 'pdb', 'web', '--type=merge', '--patch={"spec":{"minAvailable":1}}')
  await met('--for=jsonpath={.status.disruptionsAllowed}=1', 'pdb/web')
})

test('moves a pod with its volume, which is detached before it is attached again', async () => {
  const before = await nodeOf('db-0')
  const from = lab.log().length
  await kubectl('drain', before, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s')
  await logged((e) => e.type === 'volume.detached' && e.node === before, from)
  await met('--for=condition=Ready', 'pod/db-0')
  const after = await nodeOf('db-0')
  assert.is.not(after, before)
  const attached = await kubectl('get', 'volumeattachments', '--output=jsonpath={.items[*].spec.nodeName}')
  assert.ok(attached.split(' ').includes(after) && !attached.split(' ').includes(before), attached)
})

test('has a Lease that only who read it last can change', async () => {
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'mine', namespace: 'default' },
  }
  const create = () => lab.kubectl(['create', '--filename=-'], { stdin: JSON.stringify(lease) })
  assert.is((await create()).code, 0)
  assert.match((await create()).stderr, '(AlreadyExists)')
  const stale = { ...lease, metadata: { ...lease.metadata, resourceVersion: '1' } }
  assert.match((await lab.kubectl(['replace', '--filename=-'], { stdin: JSON.stringify(stale) })).stderr, '(Conflict)')
})

test('hears that a machine goes down, and that it is ready again', async () => {
  const from = lab.log().length
  await lab.fault({ name: 'never-returns', node: 'k8s-3' })
  await lab.talosctl([...at('k8s-3'), 'reboot', '--wait=false'])
  await met('--for=condition=Ready=false', 'node/k8s-3')
  await lab.cure()
  await logged((e) => e.type === 'machine.ready' && e.node === 'k8s-3', from)
  await met('--for=condition=Ready', 'node/k8s-3')
})

test('says again that a node and its pods are ready when the controllers have come to doubt it', async () => {
  const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }]
  const doubted = ['--subresource=status', `--patch=${JSON.stringify({ status: { conditions } })}`]
  await kubectl('patch', 'node', 'k8s-3', ...doubted)
  await met('--for=condition=Ready', 'node/k8s-3')
  const standing = ['kube-apiserver-k8s-3', ...(await podsOf('agent'))]
  for (const pod of standing) {
    const namespace = pod.startsWith('kube-') ? 'kube-system' : 'default'
    await kubectl('patch', 'pod', pod, `--namespace=${namespace}`, ...doubted)
    await met('--for=condition=Ready', `pod/${pod}`, `--namespace=${namespace}`)
  }
  const mirror = ['pod/kube-apiserver-k8s-3', '--namespace=kube-system']
  await kubectl('delete', ...mirror, '--timeout=120s')
  await met(...mirror, '--for=create')
  await met(...mirror, '--for=condition=Ready')
})

// What the rules are for: each is broken with the real tools, on purpose.
const broken = (): Set<Invariant> => new Set(lab.check().map(({ invariant }) => invariant))
const breaks = (invariant: Invariant) => assert.ok(broken().has(invariant), [...broken()].join())

test('tells a cordon of somebody else that a client lifts', async () => {
  await untilWell(lab)
  assert.not.ok(broken().has('foreign-cordons-kept'))
  const from = lab.log().length
  for (const node of await lab.cordoned()) {
    await kubectl('uncordon', node)
    await logged((e) => e.type === 'node.uncordoned' && e.node === node, from)
  }
  breaks('foreign-cordons-kept')
})

test('tells a node that a run left cordoned', async () => {
  const from = lab.log().length
  const mark = JSON.stringify({ run: 'r', at: '2026-01-01T00:00:00.000Z' })
  const patch = { metadata: { annotations: { 'talos-workflows/cordon': mark } }, spec: { unschedulable: true } }
  await kubectl('patch', 'node', 'k8s-2', '--type=merge', `--patch=${JSON.stringify(patch)}`)
  await logged((e) => e.type === 'node.cordoned' && e.run === 'r', from)
  breaks('cordons-lifted')
  assert.match(describeLab(await lab.status()).join('\n'), /\nk8s-2 .* ready, cordoned, \d+ pods ready\n/)
  await kubectl('uncordon', 'k8s-2')
  await logged((e) => e.type === 'node.uncordoned' && e.node === 'k8s-2', from)
  assert.not.ok(broken().has('cordons-lifted'))
})

test('tells a Lease that is taken from a run which lives', async () => {
  const from = lab.log().length
  const write = (verb: string, holderIdentity: string, metadata: object = {}) => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'talos-workflows', namespace: 'kube-system', ...metadata },
      spec: { holderIdentity, leaseDurationSeconds: 600 },
    }
    const argv = [verb, '--filename=-', '--output=jsonpath={.metadata.resourceVersion}']
    return lab.kubectl(argv, { stdin: JSON.stringify(lease) })
  }
  const held = await write('create', 'a')
  assert.is((await write('replace', 'b')).code, 0, held.stderr)
  await logged((e) => e.type === 'lease.changed' && e.holder === 'b', from)
  assert.not.ok(broken().has('lease-kept'), 'who says nothing any more may be dead')
  assert.match((await write('replace', 'a', { resourceVersion: held.stdout })).stderr, '(Conflict)')
  await logged((e) => e.type === 'lease.refused' && e.holder === 'a', from)
  breaks('lease-kept')
})

test('tells a pod that is deleted past its budget', async () => {
  await kubectl('patch', 'pdb', 'web', '--type=merge', '--patch={"spec":{"minAvailable":2}}')
  await met('--for=jsonpath={.status.disruptionsAllowed}=0', 'pdb/web')
  const [pod = ''] = await podsOf('web')
  const from = lab.log().length
  await kubectl('delete', 'pod', pod)
  await logged((e) => e.type === 'pod.deleted' && e.budget === 'web', from)
  breaks('budgets-kept')
})

test('tells a node that is rebooted with its pods, and lets lab check fail', async () => {
  const [pod = ''] = await podsOf('api')
  const node = await nodeOf(pod)
  const from = lab.log().length
  await lab.talosctl([...at(node), 'reboot', '--wait=false'])
  await logged((e) => e.type === 'node.loaded' && e.evictable.includes(`default/${pod}`), from)
  breaks('drained')
  const argv = ['--import', 'tsx', 'workflows/lab.ts', 'check', '--cluster', lab.cluster, '--dir', lab.dir]
  const { status, stdout } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  assert.is(status, 1)
  assert.match(stdout, /BROKEN {2}drained: /)
})

test.run()
