import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { defaultTimings } from '../../lab/timings.ts'
import { apiErrorOf } from './api-error-of.ts'
import { beginInstall, fakeMachine, image, installTo, pull, rebootOnce } from './fake-machine.ts'

const never = new AbortController().signal

test('A machine that was powered on runs, is ready, and answers', async () => {
  const { machine } = await fakeMachine()
  const state = machine.state()
  assert.is(state.stage, 'running')
  assert.is(state.ready, true)
  assert.is(machine.reachability(), 'answers')
  assert.is(state.runningSlot, 'A')
  assert.is(state.slots.B, undefined)
})

test('The first installation after a boot writes the other slot and makes it the default, and nothing else changes', async () => {
  const fake = await fakeMachine()
  const before = fake.machine.state()
  const { exitCode } = await installTo(fake, image('v1.13.9'))
  const after = fake.machine.state()
  assert.is(exitCode, 0)
  assert.is(after.version, 'v1.13.5')
  assert.is(after.bootId, before.bootId)
  assert.is(after.stage, 'running')
  assert.is(after.defaultSlot, 'B')
  assert.is(after.slots.A?.version, 'v1.13.5')
  assert.equal(after.slots.B, {
    version: 'v1.13.9',
    schematic: 'a'.repeat(64),
    extensions: ['siderolabs/iscsi-tools'],
    booted: false,
  })
  assert.equal(fake.types(), ['pull.started', 'pull.finished', 'install.started', 'install.finished'])
})

test('A second installation before a boot loses the slot that runs', async () => {
  const fake = await fakeMachine()
  await installTo(fake, image('v1.13.9'))
  await installTo(fake, image('v1.13.8'))
  const { slots } = fake.machine.state()
  assert.equal([slots.A?.version, slots.B?.version], ['v1.13.8', 'v1.13.9'])
  const lost = fake.log.find(({ type }) => type === 'slot.lost')
  assert.is(lost?.type === 'slot.lost' && lost.version, 'v1.13.5')
})

test('The slot to fall back to stands in META from the reboot after an installation until the boot is complete', async () => {
  const fake = await fakeMachine()
  await installTo(fake, image('v1.13.9'))
  assert.is(fake.machine.state().fallBackTo, undefined)
  await fake.machine.reboot('DEFAULT')
  await fake.clock.pass(defaultTimings.stopSeconds + defaultTimings.rebootSeconds)
  assert.is(fake.machine.state().fallBackTo, 'A')
  await fake.clock.pass(defaultTimings.readySeconds)
  assert.is(fake.machine.state().fallBackTo, undefined)
  await rebootOnce(fake)
  assert.is(fake.machine.state().fallBackTo, undefined)
})

test('After a boot the other slot may be written again', async () => {
  const fake = await fakeMachine()
  await installTo(fake, image('v1.13.8'))
  await rebootOnce(fake)
  await installTo(fake, image('v1.13.9'))
  const { slots, runningSlot } = fake.machine.state()
  assert.is(runningSlot, 'B')
  assert.equal([slots.A?.version, slots.B?.version], ['v1.13.9', 'v1.13.8'])
  assert.not.ok(fake.types().includes('slot.lost'))
})

test('A reboot takes a machine through rebooting, down and booting to ready, with a new boot id and empty logs', async () => {
  const fake = await fakeMachine()
  await installTo(fake, image('v1.13.9'))
  const before = fake.machine.state()
  assert.ok(fake.machine.log('machined').length > 0)
  fake.log.length = 0
  await fake.machine.reboot('DEFAULT')
  assert.is(fake.machine.state().stage, 'rebooting')
  assert.is(fake.machine.reachability(), 'answers')
  assert.is(fake.etcd.pid, undefined)
  await fake.clock.pass(defaultTimings.stopSeconds)
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.clock.pass(defaultTimings.rebootSeconds)
  const booting = fake.machine.state()
  assert.is(fake.machine.reachability(), 'answers')
  assert.is(booting.stage, 'booting')
  assert.is(booting.ready, false)
  assert.is(booting.version, 'v1.13.9')
  assert.is.not(booting.bootId, before.bootId)
  assert.not.ok(fake.machine.log('machined').some((line) => line.includes('upgrade')))
  await fake.clock.pass(defaultTimings.readySeconds)
  assert.is(fake.machine.ready, true)
  assert.equal(fake.types(), [
    'reboot.requested',
    'machine.down',
    'machine.booting',
    'machine.running',
    'machine.ready',
  ])
})

test("machined's log and the kernel's tell of an installation in Talos' words", async () => {
  const fake = await fakeMachine({
    disks: [
      {
        ...{ devPath: '/dev/sdb', sizeBytes: 1, model: '', serial: '', wwid: '', busPath: '', transport: 'usb' },
        ...{ rotational: false, readonly: false, system: true },
      },
    ],
  })
  await installTo(fake, image('v1.13.9'))
  const log = fake.machine.log('machined')
  const start = `[talos] starting upgrade: installer_image=${image('v1.13.9')}, disk=/dev/sdb`
  assert.match(log[0] ?? '', /^2026\/01\/01 \d\d:\d\d:\d\d\.\d{6} \[talos\] machined logger initialized$/)
  assert.ok(log.some((line) => line.endsWith(`000 ${start}`)))
  assert.ok(log.at(-1)?.endsWith('000 [talos] upgrade completed successfully: exit_code=0'))
  assert.not.ok(fake.machine.log('dmesg').some((line) => line.includes('upgrade progress')))
  assert.ok(fake.machine.log('dmesg').some((line) => line.startsWith('user: warning: [') && line.endsWith(start)))
})

test('Talos 1.14 tells of an installation in other words, and not in the kernel log', async () => {
  const fake = await fakeMachine({ version: 'v1.14.0' })
  await installTo(fake, image('v1.14.1'))
  const log = fake.machine.log('machined')
  const about = '{"component": "machined", "service": "lifecycle", '
  const started = log.find((line) => line.includes('starting upgrade'))
  assert.is(
    started?.slice(24),
    ` \x1b[34mINFO\x1b[0m starting upgrade ${about}"installer_image": "${image('v1.14.1')}", "disk": "/dev/sda"}`,
  )
  assert.is(started?.slice(0, 24), new Date(started?.slice(0, 24) ?? '').toISOString())
  assert.ok(log.at(-1)?.endsWith(`\x1b[34mINFO\x1b[0m upgrade completed ${about}"exit_code": 0}`))
  assert.not.ok(fake.machine.log('dmesg').some((line) => line.includes('upgrade')))
})

test('Calls of the API push the oldest lines of the log out, some 1,700 of them all that came before', async () => {
  const fake = await fakeMachine()
  await installTo(fake, image('v1.13.9'))
  const call = {
    method: '/machine.MachineService/Version',
    endpoint: '127.0.0.11',
    caller: '',
    roles: ['os:admin'],
    code: 'OK',
  }
  const begins = () => fake.machine.log('machined')[0]?.includes('machined logger initialized')
  const tells = () => fake.machine.log('machined').some((line) => line.includes('starting upgrade'))
  for (let calls = 0; calls < 1500; calls += 1) fake.machine.recordCall(call)
  assert.equal([begins(), tells()], [true, true])
  for (let calls = 0; calls < 500; calls += 1) fake.machine.recordCall(call)
  assert.equal([begins(), tells()], [false, false])
  const bytes = fake.machine.log('machined').join('\n').length
  assert.ok(bytes > 15 * 65_536 && bytes <= 16 * 65_536, String(bytes))
})

test('An installation outlives its caller: the stream ends, the installer goes on to its end and says so in the log', async () => {
  const fake = await fakeMachine()
  const caller = new AbortController()
  await pull(fake, image('v1.13.9'))
  const { ended } = beginInstall(fake, image('v1.13.9'), caller.signal)
  await fake.clock.pass(defaultTimings.installSeconds / 2)
  caller.abort()
  assert.is((await apiErrorOf(ended)).message, 'context canceled')
  assert.is(fake.machine.state().installing, true)
  const refusal = await apiErrorOf(beginInstall(fake, image('v1.13.9')).ended)
  assert.is(refusal.message, 'another installation/upgrade is already in progress')
  await fake.clock.pass(defaultTimings.installSeconds)
  assert.is(fake.types().at(-1), 'install.finished')
  assert.ok(fake.machine.log('machined').some((line) => line.includes('exit_code=0')))
  assert.is(fake.machine.state().slots.B?.version, 'v1.13.9')
  assert.is(fake.machine.state().installing, false)
})

test('Images that were pulled are gone after a boot', async () => {
  const fake = await fakeMachine()
  await pull(fake, image('v1.13.9'))
  await rebootOnce(fake)
  assert.equal(fake.machine.images(), [])
  assert.match((await apiErrorOf(beginInstall(fake, image('v1.13.9')).ended)).message, 'not found in containerd store')
})

test('An installation goes on when nobody reads what the installer says', async () => {
  const fake = await fakeMachine()
  await pull(fake, image('v1.13.9'))
  const reader = fake.machine.install(image('v1.13.9'), never)[Symbol.asyncIterator]()
  await reader.next()
  await fake.clock.pass(defaultTimings.installSeconds)
  assert.is(fake.machine.state().slots.B?.version, 'v1.13.9')
})

test('A reboot cuts off an installation that runs', async () => {
  const fake = await fakeMachine()
  await pull(fake, image('v1.13.9'))
  const { ended } = beginInstall(fake, image('v1.13.9'))
  await fake.clock.pass(defaultTimings.installSeconds / 2)
  await fake.machine.reboot('DEFAULT')
  assert.is((await apiErrorOf(ended)).code, 'UNAVAILABLE')
  assert.ok(fake.types().includes('install.cut-off'))
})

test('A second installation while one runs is refused', async () => {
  const fake = await fakeMachine()
  await pull(fake, image('v1.13.9'))
  const first = beginInstall(fake, image('v1.13.9'))
  await fake.clock.pass(1)
  const refusal = await apiErrorOf(beginInstall(fake, image('v1.13.9')).ended)
  assert.is(refusal.code, 'FAILED_PRECONDITION')
  assert.is(refusal.message, 'another installation/upgrade is already in progress')
  await fake.clock.pass(defaultTimings.installSeconds)
  assert.is((await first.ended).exitCode, 0)
})

test('An image that was not pulled cannot be installed', async () => {
  const fake = await fakeMachine()
  assert.match((await apiErrorOf(beginInstall(fake, image('v1.13.9')).ended)).message, 'not found in containerd store')
})

test('An image of a schematic that the registry does not know cannot be pulled', async () => {
  const fake = await fakeMachine()
  const unknown = image('v1.13.9').replaceAll('a'.repeat(64), 'b'.repeat(64))
  assert.is((await apiErrorOf(fake.machine.pullImage(unknown, never))).code, 'NOT_FOUND')
  assert.equal(fake.machine.images(), [])
})

for (const [what, options, name, words] of [
  ['too new for the host', { version: 'v1.10.3' }, image('v1.13.9'), 'too old to upgrade'],
  ['of a release that is no more known', {}, image('v1.9.0'), 'are not supported'],
  ['without secure boot for a machine with it', { secureBoot: true }, image('v1.13.9'), 'vmlinuz.efi.signed'],
  ['with secure boot for a machine without', {}, image('v1.13.9', 'metal-installer-secureboot'), 'vmlinuz.efi.signed'],
] as const) {
  test(`An installer ${what} ends with exit code 1 and leaves the slots as they are`, async () => {
    const fake = await fakeMachine(options)
    const before = fake.machine.state().slots
    const { exitCode, lines } = await installTo(fake, name)
    assert.is(exitCode, 1)
    assert.match(lines.join(''), words)
    assert.equal(fake.machine.state().slots, before)
    assert.match(fake.machine.log('machined').at(-1) ?? '', '[talos] upgrade failed: exit_code=1')
  })
}

test('A control plane runs the etcd of its Talos, from the boot into another release on', async () => {
  const fake = await fakeMachine({ version: 'v1.13.9' })
  await installTo(fake, image('v1.14.1'))
  await rebootOnce(fake)
  assert.equal(
    fake.etcd.calls.filter((call) => call.startsWith('start')),
    ['start 3.6', 'start 3.7'],
  )
})

test('A second reboot request while one runs gets an actor id and an event that says locked, and changes nothing', async () => {
  const fake = await fakeMachine()
  await fake.machine.reboot('DEFAULT')
  const bootIds = fake.log.filter(({ type }) => type === 'reboot.requested').length
  const actorId = await fake.machine.reboot('DEFAULT')
  assert.is(fake.log.filter(({ type }) => type === 'reboot.requested').length, bootIds)
  const locked = fake.seen.find(
    (event) => event.type === 'runtime' && event.event.kind === 'sequence' && event.event.action === 'NOOP',
  )
  assert.is(locked?.type === 'runtime' && locked.actorId, actorId)
})

test('A forced reboot stops nothing first', async () => {
  const fake = await fakeMachine()
  await fake.machine.reboot('FORCE')
  await fake.clock.pass(0)
  assert.is(fake.machine.reachability(), 'refuses')
  assert.ok(fake.etcd.calls.includes('stop SIGKILL machine'))
})

test('A reboot may take over a boot', async () => {
  const fake = await fakeMachine()
  await rebootOnce(fake)
  await fake.machine.reboot('DEFAULT')
  await fake.clock.pass(defaultTimings.stopSeconds + defaultTimings.rebootSeconds)
  assert.is(fake.machine.state().stage, 'booting')
  fake.log.length = 0
  await rebootOnce(fake)
  assert.equal(fake.types().at(0), 'reboot.requested')
  assert.is(fake.machine.ready, true)
})

test('A legacy upgrade pulls, installs and reboots by itself, in stage upgrading', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  const asked = fake.machine.upgradeLegacy({ image: image('v1.13.9'), force: false, preserve: false, stage: false })
  await fake.clock.pass(defaultTimings.pullSeconds)
  await asked
  assert.is(fake.machine.state().stage, 'upgrading')
  await fake.clock.pass(500)
  const state = fake.machine.state()
  assert.equal([state.version, state.runningSlot, state.ready], ['v1.13.9', 'B', true])
  assert.equal(
    fake.types().filter((type) => /install|reboot|machine/.test(type)),
    [
      ...['reboot.requested', 'install.started', 'install.finished', 'machine.down', 'machine.booting'],
      ...['machine.running', 'machine.ready'],
    ],
  )
})

test('A staged legacy upgrade reboots first, installs in the boot, and reboots again', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  const asked = fake.machine.upgradeLegacy({ image: image('v1.13.9'), force: false, preserve: false, stage: true })
  await fake.clock.pass(defaultTimings.pullSeconds)
  await asked
  await fake.clock.pass(defaultTimings.stopSeconds + defaultTimings.rebootSeconds)
  assert.is(fake.machine.state().stage, 'installing')
  await fake.clock.pass(500)
  assert.equal([fake.machine.state().version, fake.machine.ready], ['v1.13.9', true])
  assert.is(fake.types().filter((type) => type === 'machine.down').length, 2)
})

test('A legacy upgrade is refused by what etcd says, unless it is forced', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  fake.etcd.objection = 'etcd member count(2) is insufficient to maintain quorum if upgrade commences'
  await pull(fake, image('v1.13.9'))
  const request = { image: image('v1.13.9'), force: false, preserve: false, stage: false }
  assert.match((await apiErrorOf(fake.machine.upgradeLegacy(request))).message, 'error validating etcd for upgrade')
  assert.not.ok(fake.types().includes('reboot.requested'))
  await fake.machine.upgradeLegacy({ ...request, force: true })
  assert.ok(fake.types().includes('reboot.requested'))
})

test('An etcd that dies makes the node not ready, and machined starts it again', async () => {
  const fake = await fakeMachine()
  fake.etcd.crash()
  assert.is(fake.machine.state().ready, false)
  assert.match(fake.machine.state().unmetConditions[0]?.reason ?? '', 'etcd not running')
  await fake.clock.pass(10)
  assert.is(fake.machine.ready, true)
  assert.equal(fake.types(), ['machine.not-ready', 'machine.ready'])
})

test('A machine that is down has no etcd process and answers no call', async () => {
  const fake = await fakeMachine()
  await fake.machine.reboot('DEFAULT')
  await fake.clock.pass(defaultTimings.stopSeconds)
  assert.is(fake.etcd.pid, undefined)
  assert.is((await apiErrorOf(fake.machine.reboot('DEFAULT'))).code, 'UNAVAILABLE')
  assert.is((await apiErrorOf(fake.machine.pullImage(image('v1.13.9'), never))).code, 'UNAVAILABLE')
})

test.run()
