import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ApiError } from '../../../lab/lab-node.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeNode } from './fake-node.ts'
import { freeNetwork } from './free-network.ts'
import { type LabCluster, serveLabCluster } from './lab-cluster.ts'
import { testPki } from './test-pki.ts'

type Context = { first: FakeNode; second: FakeNode; old: FakeNode; worker: FakeNode; cluster: LabCluster }

const image = 'registry.test/metal-installer/376567:v1.13.9'
const test = suite<Context>('serve-nodes')

test.before.each(async (context) => {
  context.first = new FakeNode('k8s-1', `${freeNetwork}.11`)
  context.second = new FakeNode('k8s-2', `${freeNetwork}.12`)
  context.old = new FakeNode('k8s-3', `${freeNetwork}.13`, { version: 'v1.12.6' })
  context.worker = new FakeNode('k8s-4', `${freeNetwork}.21`, { role: 'worker' })
  context.cluster = await serveLabCluster([context.first, context.second, context.old, context.worker])
})

test.after.each(async ({ cluster }) => {
  await cluster.close()
})

test('several nodes answer one version call, each under the name it was asked by', async ({ cluster }) => {
  const said = await cluster.talosctl('version', '-n', `${freeNetwork}.11,k8s-3`)
  assert.is(said.code, 0, said.stderr)
  assert.match(said.stdout, new RegExp(`NODE: +${freeNetwork}.11\\n\\tTag: +v1.13.5`))
  assert.match(said.stdout, /NODE: +k8s-3\n\tTag: +v1.12.6/)
})

test('a dead node among several is a warning, and alone an error with its address in it', async (context) => {
  const { cluster, second } = context
  second.setReach('refuses')
  const refused = new RegExp(`code = Unavailable .*dial tcp ${second.address}:50000: connect: connection refused`)
  const both = await cluster.talosctl('version', '--short', '-n', `${freeNetwork}.11,${second.address}`)
  assert.is(both.code, 0)
  assert.match(both.stderr, refused)
  const alone = await cluster.talosctl('get', 'machinestatus', '-n', second.address)
  assert.is(alone.code, 1)
  assert.match(alone.stderr, refused)
})

test('a node that is back answers on its own address at once', async ({ cluster, second }) => {
  second.setReach('refuses')
  const away = await cluster.talosctl('version', '--short', '-n', second.address, '-e', second.address)
  assert.is(away.code, 1)
  assert.match(away.stderr, /connection refused/)
  second.setReach('answers')
  const back = await cluster.talosctl('version', '--short', '-n', second.address, '-e', second.address)
  assert.is(back.code, 0, back.stderr)
})

test('a silent node lets callers wait, directly and through another endpoint, and goes on when it is back', async (context) => {
  const { cluster, second } = context
  second.setReach('silent')
  const direct = cluster.talosctl('version', '--short', '-n', second.address, '-e', second.address)
  const forwarded = cluster.talosctl('read', '/etc/hostname', '-n', second.address)
  // both have had the time to be refused if they were going to be: a third call went all the way through
  assert.is((await cluster.talosctl('version', '--short', '-n', context.first.address)).code, 0)
  assert.equal(second.calls, [])
  second.setReach('answers')
  assert.is((await direct).code, 0)
  assert.is((await forwarded).stdout, 'k8s-2\n')
})

test('a node behind others is reached through them alone, whether packets vanish or a proxy resets', async (context) => {
  const { cluster, worker } = context
  const through = () => cluster.talosctl('version', '--short', '-n', worker.address)
  worker.setEntrance('resets')
  const reset = await cluster.talosctl('version', '--short', '-n', worker.address, '-e', worker.address)
  assert.is(reset.code, 1)
  assert.match(reset.stderr, /code = Unavailable .*(connection reset by peer|EOF)/)
  assert.is((await through()).code, 0)
  worker.setEntrance('silent')
  const direct = cluster.talosctl('version', '--short', '-n', worker.address, '-e', worker.address)
  assert.is((await through()).code, 0)
  const seen = worker.calls.length
  worker.setEntrance('open')
  assert.is((await direct).code, 0)
  assert.ok(worker.calls.length > seen, 'it was held up until then')
})

test('resources come with their spec, a version that grows when they change, and a time', async ({
  cluster,
  first,
}) => {
  type Resource = { metadata: { version: number; updated: string }; node: string; spec: unknown }
  const read = async (): Promise<Resource> =>
    JSON.parse((await cluster.talosctl('get', 'machinestatus', '-n', first.address, '-o', 'json')).stdout)
  const before = await read()
  assert.is(before.node, first.address)
  assert.equal(before.spec, { stage: 'running', status: { ready: true, unmetConditions: [] } })
  assert.is((await read()).metadata.version, before.metadata.version)
  first.set({ ready: false, unmetConditions: [{ name: 'services', reason: 'etcd not healthy' }] })
  const after = await read()
  assert.is(after.metadata.version, before.metadata.version + 1)
  assert.equal(after.spec, {
    stage: 'running',
    status: { ready: false, unmetConditions: [{ name: 'services', reason: 'etcd not healthy' }] },
  })
})

test('a change that nobody saw counts as well, and a reboot starts over', async ({ cluster, first }) => {
  const version = async (): Promise<number> =>
    JSON.parse((await cluster.talosctl('get', 'machinestatus', '-n', first.address, '-o', 'json')).stdout).metadata
      .version
  const before = await version()
  first.set({ ready: false })
  first.set({ ready: true })
  assert.is(await version(), before + 2)
  first.set({ bootId: randomUUID() })
  assert.is(await version(), 1)
})

test('every alias that the tool uses finds its resource', async ({ cluster, first }) => {
  const kinds =
    'ms members extensions etcdmembers hostname disks systemdisk securitystate platformmetadata mc services nodename kubeletspec versions machinetypes discoveredvolumes volumestatus'
  await Promise.all(
    kinds.split(' ').map(async (kind) => {
      const said = await cluster.talosctl('get', kind, '-n', first.address, '-o', 'json')
      assert.is(said.code, 0, `${kind}: ${said.stderr}`)
      assert.match(said.stdout, `"node": "${first.address}"`, kind)
    }),
  )
  for (const kind of ['metakeys', 'diagnostics']) {
    assert.equal((await cluster.talosctl('get', kind, '-n', first.address, '-o', 'json')).stdout, '')
  }
})

test('members are the same from every node and name every machine', async ({ cluster, first, old }) => {
  const list = async (endpoint: string): Promise<string> =>
    (await cluster.talosctl('get', 'members', '-n', endpoint, '-o', 'jsonpath={.spec.machineType}')).stdout
  assert.is(await list(first.address), 'controlplane\ncontrolplane\ncontrolplane\nworker\n')
  assert.is(await list(old.address), await list(first.address))
})

test('the machine configuration is text, and for admins only', async ({ cluster, first }) => {
  const text = await cluster.talosctl('get', 'mc', 'v1alpha1', '-n', first.address, '-o', 'jsonpath={.spec}')
  assert.is(text.stdout, `${first.current.machineConfig}\n`)
  const refused = await cluster.talosctlAs('os:reader', 'get', 'mc', 'v1alpha1', '-n', first.address)
  assert.is(refused.code, 1)
  assert.match(refused.stderr, /PermissionDenied desc = not authorized/)
})

test('a missing resource is not found, an unknown kind not registered', async ({ cluster, first }) => {
  const absent = await cluster.talosctl('get', 'etcdmembers', 'remote', '-n', first.address)
  assert.match(absent.stderr, /NotFound/)
  assert.is(absent.code, 1)
  assert.match((await cluster.talosctl('get', 'pods', '-n', first.address)).stderr, /"pods" is not registered/)
})

test('a watch tells the present and then each change', async ({ cluster, second }) => {
  const watch = cluster.start('get', 'machinestatus', '-n', second.address, '--watch', '-o', 'json')
  await watch.says(/"event": "created".*"stage": "running"/s)
  second.set({ stage: 'rebooting' })
  await watch.says(/"event": "updated".*"stage": "rebooting"/s)
})

test('a watch of one resource, and of services, sees them go and come', async ({ cluster, first }) => {
  const one = cluster.start('get', 'services', 'kubelet', '-n', first.address, '--watch', '-o', 'json')
  const all = cluster.start('get', 'services', '-n', first.address, '--watch', '-o', 'json')
  await one.says(/"event": "created".*"id": "kubelet"/s)
  await all.says(/"event": "created".*"id": "kubelet"/s)
  const { services } = first.current
  first.set({ services: services.filter(({ id }) => id !== 'kubelet') })
  await one.says(/"event": "destroyed".*"id": "kubelet"/s)
  await all.says(/"event": "destroyed".*"id": "kubelet"/s)
  first.set({ services })
  await one.says(/"event": "destroyed".*"event": "created"/s)
  // gone and back before anyone could look is still both
  first.set({ services: [] })
  first.set({ services })
  await one.says(/("event": "destroyed".*"event": "created".*){2}/s)
})

test('events stream with their actor and forget what was before a reboot', async ({ cluster, first }) => {
  const sequence = (name: string) =>
    first.emit({ type: 'runtime', actorId: 'a-1', event: { kind: 'sequence', sequence: name, action: 'START' } })
  sequence('before')
  first.set({ bootId: randomUUID() })
  sequence('after')
  const events = cluster.start('events', '-n', first.address, '--tail', '-1')
  const past = await events.says(/after +START/)
  assert.not.match(past, /before/)
  assert.match(past, /a-1/)
  first.emit({ type: 'runtime', event: { kind: 'machine-status', stage: 'running', ready: true, unmet: [] } })
  await events.says(/MachineStatusEvent.*RUNNING/s)
})

test('the files of /proc are read, others are not there', async ({ cluster, first }) => {
  const read = (path: string) => cluster.talosctl('read', path, '-n', first.address)
  assert.is((await read('/proc/sys/kernel/random/boot_id')).stdout, `${first.current.bootId}\n`)
  const missing = await read('/etc/nothing')
  assert.is(missing.code, 1)
  assert.match(missing.stderr, /no such file/)
})

test('services, logs and dmesg say what the node says', async ({ cluster, first }) => {
  first.set({
    services: [
      { id: 'etcd', running: true, healthy: false, lastMessage: 'context deadline exceeded' },
      { id: 'kubelet', running: false, healthy: false, lastMessage: 'Waiting for CRI' },
    ],
  })
  const services = await cluster.talosctl('services', '-n', first.address)
  assert.match(services.stdout, /etcd +Running +Fail/)
  assert.match(services.stdout, /kubelet +Waiting +\?/)
  const log = await cluster.talosctl('logs', 'machined', '-n', first.address)
  assert.is(log.stdout, `${first.address}: machined: hello\n`)
  const dmesg = await cluster.talosctl('dmesg', '-n', first.address)
  assert.is(dmesg.stdout, `${first.address}: ${first.logs.dmesg[0]}\n`)
  const unknown = await cluster.talosctl('logs', 'nope', '-n', first.address)
  assert.is(unknown.code, 1)
  assert.match(unknown.stderr, /log "nope" was not registered/)
})

test('a followed log gets the lines that are written later', async ({ cluster, first }) => {
  const log = cluster.start('logs', 'machined', '-f', '-n', first.address)
  await log.says(/hello/)
  first.emit({ type: 'machined-log', line: 'upgrade completed successfully: exit_code=0' })
  await log.says(/exit_code=0/)
})

test('etcd answers for its member, with ids in hex', async ({ cluster, first }) => {
  const etcd = (...argv: string[]) => cluster.talosctl('etcd', ...argv, '-n', first.address)
  assert.match(
    (await etcd('members')).stdout,
    new RegExp(`ab54a98ceb1f0ad2 +k8s-1 +https://${first.address}:2380 .*false`),
  )
  assert.match((await etcd('status')).stdout, /ab54a98ceb1f0ad2 .* 42 +3 +42 +false +3\.6\.14 +3\.6\.0/)
  assert.match((await etcd('alarm', 'list')).stdout, /ab54a98ceb1f0ad2 +NOSPACE/)
  assert.match((await etcd('forfeit-leadership')).stderr, /only one member/)
})

test('etcd calls on a worker are unimplemented', async ({ cluster, worker }) => {
  const said = await cluster.talosctl('etcd', 'status', '-n', worker.address)
  assert.is(said.code, 1)
  assert.match(said.stderr, /Unimplemented desc = etcd status is only available on control plane nodes/)
})

const { dir } = await testPki()
const snapshot = join(dir, 'never.db')
for (const argv of [['status'], ['members'], ['alarm', 'list'], ['forfeit-leadership'], ['snapshot', snapshot]])
  test(`etcd ${argv[0]} is answered by nothing while no etcd runs`, async ({ cluster, first }) => {
    const { etcd } = first
    assert.ok(etcd)
    const dialled = new EventEmitter()
    const nobodyListens = async () => {
      dialled.emit('again')
      throw new ApiError('UNAVAILABLE', 'connection refused')
    }
    first.etcd = { ...etcd, status: nobodyListens, members: nobodyListens, alarms: nobodyListens }
    const asking = cluster.start('etcd', ...argv, '-n', first.address)
    await once(dialled, 'again')
    await once(dialled, 'again')
    assert.equal(first.calls, [])
    asking.stop()
    const [call] = await eventually(
      () => (first.calls.length > 0 ? first.calls : undefined),
      () => 'it never ended',
    )
    assert.is(call?.code, 'Canceled')
    assert.is((await cluster.talosctl('get', 'etcdmembers', '-n', first.address, '-o', 'json')).stdout, '')
  })

test('an etcd call that waits is answered when an etcd starts', async ({ cluster, first }) => {
  const { etcd } = first
  assert.ok(etcd)
  const nobodyListens = async () => {
    first.etcd = etcd
    throw new ApiError('UNAVAILABLE', 'connection refused')
  }
  first.etcd = { ...etcd, status: nobodyListens }
  assert.match((await cluster.talosctl('etcd', 'status', '-n', first.address)).stdout, 'ab54a98ceb1f0ad2')
})

test('a node of 1.13 pulls and installs, and stays up', async ({ cluster, first }) => {
  const said = await cluster.talosctl('upgrade', '--image', image, '--no-reboot', '-n', first.address)
  assert.is(said.code, 0, said.stderr)
  const digested = `${image}@sha256:${'0'.repeat(64)}`
  assert.equal(first.requests, [{ pull: image }, { install: image }], digested)
})

test('an installer that fails is told by its exit code', async ({ cluster, first }) => {
  first.install = async function* () {
    yield { message: 'no space left on device' }
    yield { exitCode: 1 }
  }
  const said = await cluster.talosctl('upgrade', '--image', image, '--no-reboot', '-n', first.address)
  assert.is(said.code, 1)
  assert.match(said.stderr, /exit code 1/)
})

test('a node of 1.12 has no lifecycle service: the upgrade goes the legacy way, and pulls too', async ({
  cluster,
  old,
}) => {
  const upgrade = await cluster.talosctl(
    'upgrade',
    '--image',
    image,
    '--no-reboot',
    '--wait=false',
    '--drain=false',
    '-n',
    old.address,
  )
  assert.is(upgrade.code, 0, upgrade.stderr)
  assert.equal(old.requests, [{ upgradeLegacy: { image, force: false, preserve: false, stage: false } }])
  const pull = await cluster.talosctl('image', 'pull', '--namespace', 'system', image, '-n', old.address)
  assert.is(pull.code, 0, pull.stderr)
  assert.equal(old.requests.at(-1), { pull: image })
  const list = await cluster.talosctl('image', 'list', '-n', old.address)
  assert.match(list.stdout, /registry\.test\/installer:v1\.13\.9/)
  assert.ok(old.calls.some(({ method, code }) => method === '/machine.ImageService/Pull' && code === 'Unimplemented'))
})

test('an image that is in no registry fails the pull', async ({ cluster, first }) => {
  first.pullImage = async () => {
    throw new ApiError('NOT_FOUND', 'error pulling image: not found')
  }
  const said = await cluster.talosctl('image', 'pull', '--namespace', 'system', image, '-n', first.address)
  assert.is(said.code, 1)
  assert.match(said.stderr, /NotFound desc = error pulling image/)
})

test('talosctl hanging up aborts the pull', async ({ cluster, first }) => {
  const aborted = new Promise<void>((resolve) => {
    first.pullImage = (_image: string, signal?: AbortSignal) =>
      new Promise<string>((_, reject) => {
        signal?.addEventListener('abort', () => {
          resolve()
          reject(signal.reason)
        })
        first.requests.push('pulling')
        pulling.stop()
      })
  })
  const pulling = cluster.start('image', 'pull', '--namespace', 'system', image, '-n', first.address)
  await aborted
  assert.equal(first.requests, ['pulling'])
})

test('reboot returns at once without --wait, and reaches the node as asked', async ({ cluster, second }) => {
  const said = await cluster.talosctl('reboot', '--wait=false', '--mode', 'powercycle', '-n', second.address)
  assert.is(said.code, 0, said.stderr)
  assert.equal(second.requests, [{ reboot: 'POWERCYCLE' }])
})

test("talosctl's own tracker follows a reboot to its end", async ({ cluster, second }) => {
  const status = (stage: 'booting' | 'running') =>
    second.emit({ type: 'runtime', event: { kind: 'machine-status', stage, ready: stage === 'running', unmet: [] } })
  // without the sequence's event: having seen it, the tracker asks again a second later and only for what is new then
  second.reboot = async () => {
    setImmediate(() => {
      second.set({ stage: 'rebooting' })
      second.setReach('refuses')
      second.current = { ...second.current, bootId: randomUUID(), stage: 'booting', ready: false }
      second.setReach('answers')
      status('booting')
      second.set({ stage: 'running', ready: true })
      status('running')
    })
    return randomUUID()
  }
  const said = await cluster.talosctl('reboot', '--wait', '--timeout', '25s', '-n', second.address)
  assert.is(said.code, 0, said.stderr)
  assert.match(said.stderr, /post check passed/)
})

test('a reader may look and not touch; an operator may reboot and not upgrade', async ({ cluster, first }) => {
  const asReader = (...argv: string[]) => cluster.talosctlAs('os:reader', ...argv, '-n', first.address)
  const asOperator = (...argv: string[]) => cluster.talosctlAs('os:operator', ...argv, '-n', first.address)
  assert.is((await asReader('version')).code, 0)
  assert.is((await asReader('etcd', 'members')).code, 0)
  const reboot = await asReader('reboot', '--wait=false')
  assert.is(reboot.code, 1)
  assert.match(reboot.stderr, /PermissionDenied desc = not authorized/)
  assert.is((await asOperator('reboot', '--wait=false')).code, 0)
  assert.match((await asOperator('upgrade', '--image', image, '--no-reboot')).stderr, /PermissionDenied/)
  assert.equal(
    first.requests.filter((request) => 'install' in (request as object)),
    [],
  )
})

test('a worker as endpoint answers for itself and forwards to nobody', async ({ cluster, first, worker }) => {
  const own = await cluster.talosctl('version', '--short', '-n', worker.address, '-e', worker.address)
  assert.is(own.code, 0, own.stderr)
  for (const verb of [['version'], ['get', 'machinestatus']]) {
    const other = await cluster.talosctl(...verb, '-n', first.address, '-e', worker.address)
    assert.is(other.code, 1)
    assert.match(other.stderr, /PermissionDenied desc = no request forwarding/)
  }
})

test('a target with a port is invalid', async ({ cluster, first }) => {
  const said = await cluster.talosctl('version', '-n', `${first.address}:50000`)
  assert.is(said.code, 1)
  assert.match(said.stderr, /invalid target/)
})

test("a stranger's certificate is seen by talosctl and by the other nodes", async ({ cluster, second }) => {
  second.wrongCa = true
  second.emit({ type: 'state' })
  const unknown = /x509: certificate signed by unknown authority/
  const direct = await cluster.talosctl('version', '-n', second.address, '-e', second.address)
  assert.is(direct.code, 1)
  assert.match(direct.stderr, unknown)
  assert.match((await cluster.talosctl('get', 'ms', '-n', second.address)).stderr, unknown)
})

test("a client of another cluster's authority is turned away with the words of TLS", async ({ cluster, first }) => {
  const said = await cluster.talosctl('get', 'disks', '--insecure', '-n', first.address)
  assert.is(said.code, 1)
  assert.match(said.stderr, /remote error: tls: certificate required/)
  assert.equal(first.calls, [])
})

test('health names what is wrong, and passes when nothing is', async ({ cluster, first, second }) => {
  second.set({ services: second.current.services.map((service) => ({ ...service, healthy: service.id !== 'etcd' })) })
  const sick = await cluster.talosctl('health', '--wait-timeout', '1s', '-n', first.address)
  assert.is(sick.code, 1)
  assert.match(
    sick.stderr,
    new RegExp(`waiting for etcd to be healthy: ${second.address}: service is not healthy: etcd`),
  )
  second.set({ services: first.current.services })
  const well = await cluster.talosctl('health', '--wait-timeout', '10s', '-n', first.address)
  assert.is(well.code, 0, well.stderr)
  assert.match(well.stderr, /waiting for all nodes to finish boot sequence: OK/)
})

test('an address that is taken fails the start and leaves nothing behind', async ({ cluster, first }) => {
  await cluster.close()
  const holder = createServer().listen({ host: first.address, port: 50000 })
  await once(holder, 'listening')
  const other = new FakeNode('k8s-9', `${freeNetwork}.19`)
  const failure = await serveLabCluster([other, first]).catch((reason: unknown) => reason)
  assert.match(String(failure), /EADDRINUSE/)
  holder.close()
  await once(holder, 'close')
  const again = await serveLabCluster([other, first])
  assert.is((await again.talosctl('version', '--short', '-n', first.address)).code, 0)
  await again.close()
})

test('garbage is garbage: the version does not parse, and get gives up', async ({ cluster, first }) => {
  first.garbage = true
  const version = await cluster.talosctl('version', '--short', '-n', first.address)
  assert.match(version.stdout, /Tag: +garbage/)
  const get = await cluster.talosctl('get', 'machinestatus', '-n', first.address)
  assert.is(get.code, 1)
  assert.match(get.stderr, /error parsing server version/)
})

test('a call is recorded by the node that answers it, with its endpoint, roles and outcome', async ({
  cluster,
  first,
  second,
}) => {
  await cluster.talosctl('reboot', '--wait=false', '-n', second.address)
  const call = second.calls.find(({ method }) => method.endsWith('/Reboot'))
  assert.ok(call)
  assert.is(call.endpoint, first.address)
  assert.equal(call.roles, ['os:admin'])
  assert.is(call.code, 'OK')
  assert.match(call.caller, /^127\.0\.0\.1:\d+$/)
  assert.equal(first.calls, [])
})

test.run()
