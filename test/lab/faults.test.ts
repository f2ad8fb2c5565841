import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { FaultBoard } from '../../lab/fault-board.ts'
import { faultCatalogue } from '../../lab/fault-catalogue.ts'
import { LabLog } from '../../lab/log.ts'
import { defaultTimings } from '../../lab/timings.ts'
import { apiErrorOf } from './api-error-of.ts'
import { beginInstall, fakeMachine, image, installTo, pull, rebootOnce } from './fake-machine.ts'

const never = new AbortController().signal
const node = 'k8s-1'
const wholeReboot = defaultTimings.stopSeconds + defaultTimings.rebootSeconds + defaultTimings.readySeconds

test('image-pull-fails: the image is not found, until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'image-pull-fails', node })
  assert.is((await apiErrorOf(fake.machine.pullImage(image('v1.13.9'), never))).code, 'NOT_FOUND')
  assert.is((await apiErrorOf(fake.machine.pullImage(image('v1.13.9'), never))).code, 'NOT_FOUND')
  await fake.faults.cure({ name: 'image-pull-fails' })
  await pull(fake, image('v1.13.9'))
  assert.is(fake.machine.images().length, 1)
})

test('image-refused: the pull is denied by a rule that the node shows, until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'image-refused', node })
  const { code, message } = await apiErrorOf(fake.machine.pullImage(image('v1.13.9'), never))
  assert.equal([code, message], ['UNKNOWN', 'verification denied by matched rule (0000)'])
  assert.equal(
    fake.machine.imageRules().map(({ id, deny }) => [id, deny]),
    [['0000', true]],
  )
  await fake.faults.cure({})
  assert.equal(fake.machine.imageRules(), [])
  await pull(fake, image('v1.13.9'))
})

test('image-pull-hangs: the pull goes nowhere, and goes on when cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'image-pull-hangs', node })
  const pulling = fake.machine.pullImage(image('v1.13.9'), never)
  await fake.clock.pass(100_000)
  assert.equal(fake.machine.images(), [])
  await fake.faults.cure({})
  await fake.clock.pass(defaultTimings.pullSeconds)
  assert.match(await pulling, '@sha256:')
})

test('install-fails: exit code 1, the slots stay as they are', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'install-fails', node, times: 1 })
  assert.is((await installTo(fake, image('v1.13.9'))).exitCode, 1)
  assert.is(fake.machine.state().slots.B, undefined)
  assert.is((await installTo(fake, image('v1.13.9'))).exitCode, 0)
})

test('install-fails on a legacy upgrade: the node reboots into what it had', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  await fake.faults.inject({ name: 'install-fails', node })
  await pull(fake, image('v1.13.9'))
  const { bootId } = fake.machine.state()
  await fake.machine.upgradeLegacy({ image: image('v1.13.9'), force: false, preserve: false, stage: false })
  await fake.clock.pass(500)
  const state = fake.machine.state()
  assert.equal([state.version, state.ready], ['v1.12.9', true])
  assert.is.not(state.bootId, bootId)
})

test('install-fails: installers of Talos 1.14 and newer tell codes apart, older ones do not', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'install-fails', node, exitCode: 6 })
  assert.is((await installTo(fake, image('v1.13.9'))).exitCode, 1)
  assert.is((await installTo(fake, image('v1.14.1'))).exitCode, 6)
  assert.match(fake.machine.log('machined').at(-1) ?? '', 'exit_code=6')
})

test('An installer looks at the active configuration before it touches the disk', async () => {
  const fake = await fakeMachine({ version: 'v1.14.0', machineConfig: 'apiVersion: v1alpha1\nkind: KubeletConfig\n' })
  const { exitCode, lines } = await installTo(fake, image('v1.13.9'))
  assert.is(exitCode, 1)
  assert.match(lines.join(''), '"KubeletConfig" "v1alpha1": not registered')
  assert.is(fake.machine.state().slots.B, undefined)
  assert.is((await installTo(fake, image('v1.14.1'))).exitCode, 0)
  const kubelet = { machineConfig: 'machine: {kubelet: {image: "k:v1.38.0"}}\n' }
  assert.is((await installTo(await fakeMachine(kubelet), image('v1.14.1'))).exitCode, 2)
})

test('config-staged: on disk until the boot, which makes it active; config-changed: at once', async () => {
  const fake = await fakeMachine({ machineConfig: 'version: v1alpha1\n' })
  const configs = () => {
    const { machineConfig, stagedConfig } = fake.machine.state()
    return [machineConfig, stagedConfig].map((text) => text?.includes('KmsgLogConfig'))
  }
  await fake.faults.inject({ name: 'config-staged', node })
  assert.equal(configs(), [false, true])
  await rebootOnce(fake)
  assert.equal(configs(), [true, true])
  await fake.faults.cure({})
  assert.equal(configs(), [false, false])
  await fake.faults.inject({ name: 'config-changed', node })
  assert.equal(configs(), [true, true])
})

test('config-unreadable: the next boot stops before apid listens, and goes on when cured', async () => {
  const fake = await fakeMachine({ machineConfig: 'version: v1alpha1\n' })
  await fake.faults.inject({ name: 'config-unreadable', node })
  assert.is(fake.machine.ready, true)
  await rebootOnce(fake)
  await fake.clock.pass(10_000)
  assert.is(fake.machine.reachability(), 'refuses')
  assert.ok(fake.types().includes('config.unreadable'))
  await fake.faults.cure({})
  await fake.clock.pass(defaultTimings.readySeconds)
  assert.is(fake.machine.ready, true)
})

test('installer-dies: the log has no end, the slot is half written, and the next boot is the old version', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'installer-dies', node, times: 1 })
  await pull(fake, image('v1.13.9'))
  const { ended } = beginInstall(fake, image('v1.13.9'))
  await fake.clock.pass(defaultTimings.installSeconds)
  assert.match((await apiErrorOf(ended)).message, 'task exited with error')
  const { slots, defaultSlot, installing } = fake.machine.state()
  assert.equal([slots.B, defaultSlot, installing], [undefined, 'A', false])
  assert.not.ok(fake.machine.log('machined').some((line) => line.includes('exit_code')))
  await rebootOnce(fake)
  assert.equal([fake.machine.state().version, fake.machine.ready], ['v1.13.5', true])
})

test('installer-dies on a legacy upgrade: the node reboots into what it had', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  await fake.faults.inject({ name: 'installer-dies', node })
  await pull(fake, image('v1.13.9'))
  await fake.machine.upgradeLegacy({ image: image('v1.13.9'), force: false, preserve: false, stage: false })
  await fake.clock.pass(500)
  assert.equal([fake.machine.state().version, fake.machine.ready], ['v1.12.9', true])
})

test('boots-back-to-old-version: the new slot does not boot, the node is back on the other one with a new boot id', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'boots-back-to-old-version', node })
  await installTo(fake, image('v1.13.9'))
  const { bootId } = fake.machine.state()
  await rebootOnce(fake)
  await fake.clock.pass(defaultTimings.rebootSeconds)
  const state = fake.machine.state()
  assert.equal([state.version, state.runningSlot, state.defaultSlot, state.ready], ['v1.13.5', 'A', 'A', true])
  assert.is.not(state.bootId, bootId)
  assert.ok(fake.types().includes('machine.fell-back'))
})

test('boots-back-to-old-version: a plain reboot of a slot that has run before is not struck', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'boots-back-to-old-version', node })
  await rebootOnce(fake)
  assert.is(fake.machine.ready, true)
  assert.not.ok(fake.types().includes('fault.fired'))
})

test('boots-back-to-old-version: after two installations there is no way back; only a cure brings the machine up', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'boots-back-to-old-version', node })
  await installTo(fake, image('v1.13.9'))
  await installTo(fake, image('v1.13.9'))
  await rebootOnce(fake)
  await fake.clock.pass(10_000)
  assert.is(fake.machine.reachability(), 'refuses')
  assert.ok(fake.types().includes('machine.lost'))
  await fake.faults.cure({})
  await fake.clock.pass(wholeReboot)
  assert.is(fake.machine.ready, true)
})

test('never-returns: the machine stays down until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'never-returns', node })
  await rebootOnce(fake)
  await fake.clock.pass(100_000)
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.faults.cure({ node })
  await fake.clock.pass(wholeReboot)
  assert.is(fake.machine.ready, true)
})

const powerOn = defaultTimings.rebootSeconds + defaultTimings.readySeconds

test('power-cut: everything ends at once, the machine boots when the power is back after its seconds', async () => {
  const fake = await fakeMachine()
  const { bootId } = fake.machine.state()
  await fake.faults.inject({ name: 'power-cut', node, seconds: 100 })
  assert.is(fake.machine.reachability(), 'refuses')
  assert.is(fake.etcd.calls.at(-1), 'stop SIGKILL fault')
  await fake.clock.pass(100 + defaultTimings.rebootSeconds - 1)
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.clock.pass(1 + defaultTimings.readySeconds)
  assert.is(fake.machine.ready, true)
  assert.is.not(fake.machine.state().bootId, bootId)
  const down = fake.log.filter(({ type }) => type === 'machine.down')
  assert.equal(
    down.map((event) => event.type === 'machine.down' && event.by),
    ['power-cut'],
  )
})

for (const [when, version, waits] of [
  ['pull.started', 'v1.13.5', false],
  ['pull.finished', 'v1.13.5', false],
  ['install.started', 'v1.13.5', false],
  ['install.finished', 'v1.13.9', true],
] as const) {
  test(`power-cut at ${when}: the machine comes back on ${version}, and nothing that was pulled is left`, async () => {
    const fake = await fakeMachine()
    await fake.faults.inject({ name: 'power-cut', node, when: `k8s-1 ${when}` })
    await pull(fake, image('v1.13.9')).catch(() => undefined)
    const { ended } = beginInstall(fake, image('v1.13.9'))
    await fake.clock.pass(defaultTimings.installSeconds)
    await ended.catch(() => undefined)
    assert.is(fake.machine.reachability(), 'refuses')
    assert.is(fake.machine.state().slots.B?.version === 'v1.13.9', waits)
    await fake.clock.pass(30 + powerOn)
    const state = fake.machine.state()
    assert.equal([state.version, state.ready, state.installing], [version, true, false])
    assert.equal(fake.machine.images(), [])
    assert.not.ok(fake.machine.log('machined').some((line) => line.includes('upgrade')))
    const cut = fake.log.find(({ type }) => type === 'install.cut-off')
    assert.is(cut?.type === 'install.cut-off' ? cut.by : undefined, when === 'install.started' ? 'fault' : undefined)
  })
}

test('power-cut in the middle of an installation, of a reboot and of the first boot', async () => {
  const fake = await fakeMachine()
  await pull(fake, image('v1.13.9'))
  const { ended } = beginInstall(fake, image('v1.13.9'))
  await fake.clock.pass(defaultTimings.installSeconds / 2)
  await fake.faults.inject({ name: 'power-cut', node })
  assert.is((await apiErrorOf(ended)).code, 'UNAVAILABLE')
  await fake.clock.pass(30 + powerOn)
  assert.equal([fake.machine.state().version, fake.machine.state().slots.B], ['v1.13.5', undefined])
  await installTo(fake, image('v1.13.9'))
  await fake.machine.reboot('DEFAULT')
  await fake.clock.pass(1)
  await fake.faults.inject({ name: 'power-cut', node, seconds: 1000 })
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.clock.pass(500)
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.faults.inject({ name: 'power-cut', node, when: 'k8s-1 booting' })
  await fake.faults.cure({ name: 'power-cut', node })
  await fake.clock.pass(powerOn)
  assert.is(fake.machine.ready, true, 'a fault that waits is cured with the one in force')
  await fake.faults.inject({ name: 'power-cut', node, when: 'k8s-1 booting' })
  const boots = () => fake.types().filter((type) => type === 'machine.booting').length
  const before = boots()
  await rebootOnce(fake)
  assert.is(fake.machine.reachability(), 'refuses')
  await fake.clock.pass(30 + powerOn)
  assert.equal([fake.machine.state().version, fake.machine.ready, boots() - before], ['v1.13.9', true, 2])
})

test('power-cut on a legacy upgrade: in the middle of its installation the node comes back with what it had', async () => {
  const fake = await fakeMachine({ version: 'v1.12.9' })
  await pull(fake, image('v1.13.9'))
  await fake.faults.inject({ name: 'power-cut', node, when: 'k8s-1 install.started' })
  await fake.machine.upgradeLegacy({ image: image('v1.13.9'), force: false, preserve: false, stage: false })
  await fake.clock.pass(500)
  assert.equal([fake.machine.state().version, fake.machine.ready], ['v1.12.9', true])
  assert.is(fake.types().filter((type) => type === 'machine.booting').length, 1)
})

test('returns-not-ready: runs and is not ready until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'returns-not-ready', node })
  assert.is(fake.machine.ready, true)
  await rebootOnce(fake)
  await fake.clock.pass(100_000)
  const { stage, ready, unmetConditions } = fake.machine.state()
  assert.equal([stage, ready, unmetConditions[0]?.name], ['running', false, 'nodeReady'])
  await fake.faults.cure({})
  await fake.clock.pass(0)
  assert.is(fake.machine.ready, true)
})

test('renamed-at-boot: another host name from the next boot on, its own again from the boot after the cure', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'renamed-at-boot', node })
  const names = [fake.machine.state().hostname]
  await rebootOnce(fake)
  names.push(fake.machine.state().hostname)
  await fake.faults.cure({})
  names.push(fake.machine.state().hostname)
  await rebootOnce(fake)
  names.push(fake.machine.state().hostname)
  assert.equal(names, ['k8s-1', 'k8s-1b', 'k8s-1b', 'k8s-1'])
})

test('log-unreadable: nobody is told what machined has logged, until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'log-unreadable', node })
  assert.ok(fake.machine.hidesLog())
  await fake.faults.cure({})
  assert.not.ok(fake.machine.hidesLog())
})

test('slow-boot: the reboot takes that many seconds longer', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'slow-boot', node, seconds: 300, times: 1 })
  await rebootOnce(fake)
  await fake.clock.pass(299)
  assert.is(fake.machine.ready, false)
  await fake.clock.pass(1)
  assert.is(fake.machine.ready, true)
})

test('connection-lost-during-reboot: the call fails and the reboot happens, on both generations', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'connection-lost-during-reboot', node })
  const { bootId } = fake.machine.state()
  assert.is((await apiErrorOf(fake.machine.reboot('DEFAULT'))).code, 'UNAVAILABLE')
  await fake.clock.pass(wholeReboot)
  assert.is.not(fake.machine.state().bootId, bootId)
  await pull(fake, image('v1.13.9'))
  const request = { image: image('v1.13.9'), force: false, preserve: false, stage: false }
  assert.is((await apiErrorOf(fake.machine.upgradeLegacy(request))).code, 'UNAVAILABLE')
  await fake.clock.pass(500)
  assert.is(fake.machine.state().version, 'v1.13.9')
})

test('reboot-request-lost: the call fails once and nothing happens, on both generations', async () => {
  const fake = await fakeMachine()
  const before = fake.machine.state()
  await fake.faults.inject({ name: 'reboot-request-lost', node })
  assert.is((await apiErrorOf(fake.machine.reboot('DEFAULT'))).code, 'UNAVAILABLE')
  await fake.faults.inject({ name: 'reboot-request-lost', node })
  const request = { image: image('v1.13.9'), force: false, preserve: false, stage: false }
  assert.is((await apiErrorOf(fake.machine.upgradeLegacy(request))).code, 'UNAVAILABLE')
  await fake.clock.pass(500)
  assert.is(fake.machine.state().bootId, before.bootId)
  await rebootOnce(fake)
  assert.is.not(fake.machine.state().bootId, before.bootId)
})

test('unreachable-for: the API falls silent for its seconds while the machine runs on', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'unreachable-for', node, seconds: 60 })
  assert.is(fake.machine.reachability(), 'silent')
  assert.is(fake.etcd.healthy, true)
  await fake.clock.pass(59)
  assert.is(fake.machine.reachability(), 'silent')
  await fake.clock.pass(1)
  assert.is(fake.machine.reachability(), 'answers')
  assert.equal(fake.types(), ['fault.injected', 'unreachable.from', 'fault.cured', 'unreachable.to'])
})

test('etcd-member-down: the process is killed and stays dead until cured', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'etcd-member-down', node })
  await fake.clock.pass(1000)
  assert.is(fake.etcd.pid, undefined)
  assert.is(fake.machine.state().ready, false)
  assert.is(fake.machine.state().stage, 'running')
  await fake.faults.cure({ name: 'etcd-member-down' })
  await fake.clock.pass(0)
  assert.is(fake.machine.ready, true)
})

test('etcd-member-down: a reboot of the node cures it', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'etcd-member-down', node })
  await rebootOnce(fake)
  assert.is(fake.etcd.healthy, true)
  assert.is(fake.machine.ready, true)
  assert.equal(fake.faults.list().inForce, [])
})

test('etcd-alarm-nospace and etcd-learner: raised and added at once, disarmed and removed by the cure', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'etcd-alarm-nospace', node })
  await fake.faults.inject({ name: 'etcd-learner', node })
  await fake.faults.cure({})
  assert.equal(fake.etcd.calls.slice(-4), ['raise alarm', 'add learner', 'disarm', 'remove learner'])
})

test('etcd-slow-to-catch-up: lags for its seconds from the next boot on', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'etcd-slow-to-catch-up', node, seconds: 100 })
  assert.is(fake.etcd.lagging, false)
  await rebootOnce(fake)
  assert.is(fake.machine.ready, true)
  assert.is(fake.etcd.lagging, true)
  await fake.clock.pass(100)
  assert.is(fake.etcd.lagging, false)
  await rebootOnce(fake)
  await fake.faults.cure({})
  assert.is(fake.etcd.lagging, false)
})

test('answers-garbage and wrong-ca: hold until cured, and the API is told at once', async () => {
  const fake = await fakeMachine()
  fake.seen.length = 0
  await fake.faults.inject({ name: 'answers-garbage', node })
  await fake.faults.inject({ name: 'wrong-ca', node })
  assert.is(fake.seen.filter(({ type }) => type === 'state').length, 2)
  assert.equal([fake.machine.answersGarbage(), fake.machine.presentsWrongCa()], [true, true])
  await fake.faults.cure({ name: 'wrong-ca' })
  assert.equal([fake.machine.answersGarbage(), fake.machine.presentsWrongCa()], [true, false])
})

test('A fault with an occasion waits for the next such event, and strikes before the event is past', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'unreachable-for', node, when: 'k8s-1 ready' })
  assert.is(fake.faults.list().waiting.length, 1)
  assert.is(fake.machine.reachability(), 'answers')
  await rebootOnce(fake)
  const types = fake.types()
  assert.is(types.indexOf('fault.injected'), types.indexOf('machine.ready') + 1)
  assert.is(fake.machine.reachability(), 'silent')
})

test('An occasion may be any event of the log on any node', async () => {
  const fake = await fakeMachine()
  await fake.faults.inject({ name: 'wrong-ca', node, when: 'any install.started' })
  await installTo(fake, image('v1.13.9'))
  assert.is(fake.machine.presentsWrongCa(), true)
})

for (const [request, words] of [
  [{ name: 'rain', node }, 'there is no fault "rain"'],
  [{ name: 'wrong-ca', node: 'k8s-9' }, 'k8s-9 is not a node of this lab'],
  [{ name: 'wrong-ca', node, when: 'k8s-9 ready' }, 'k8s-9 is not a node of this lab'],
  [{ name: 'wrong-ca', node, when: 'k8s-1 sunrise' }, '"sunrise" is no event'],
] as const) {
  test(`A fault is refused when ${words}`, async () => {
    const { faults } = await fakeMachine()
    try {
      await faults.inject(request)
    } catch (error) {
      return assert.match((error as Error).message, words)
    }
    assert.unreachable()
  })
}

test('A fault of etcd is refused on a worker', async () => {
  const { faults } = await fakeMachine({ role: 'worker' })
  try {
    await faults.inject({ name: 'etcd-learner', node })
  } catch (error) {
    return assert.match((error as Error).message, 'k8s-1 is a worker')
  }
  assert.unreachable()
})

test('Every fault of the catalogue can be injected and cured', async () => {
  for (const name of Object.keys(faultCatalogue)) {
    const { faults } = await fakeMachine()
    await faults.inject({ name, node })
    assert.is(faults.list().inForce.length, 1, name)
    assert.is(await faults.cure({ name, node }), 1, name)
    assert.equal(faults.list().inForce, [], name)
  }
})

test('A fault of Kubernetes is refused in a lab without one', async () => {
  const board = new FaultBoard({ log: new LabLog(), nodes: new Map([[node, 'worker']]) })
  const refused = await board.inject({ name: 'foreign-cordon', node }).catch((error: Error) => error.message)
  assert.is(refused, 'this lab runs no Kubernetes: foreign-cordon needs one')
})

test.run()
