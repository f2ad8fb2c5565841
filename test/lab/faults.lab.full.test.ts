import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { LabEvent } from '../../lab/lab-event.ts'
import { labImage, startLab } from '../support/lab.ts'

// Every fault as the real talosctl meets it: k8s-1 has the API of 1.13, k8s-2 that of 1.12.
const lab = await startLab({ versions: { 'k8s-2': 'v1.12.9' }, speed: 100 })
const target = labImage('v1.13.9')

/** talosctl for one node, through another one. */
function talosctl(node: string, argv: readonly string[], options: { timeoutMs?: number } = {}) {
  const endpoint = lab.addresses[node === 'k8s-3' ? 'k8s-1' : 'k8s-3'] ?? ''
  return lab.talosctl(['-e', endpoint, '-n', lab.addresses[node] ?? '', ...argv], options)
}

/** Does something and resolves when the log then tells of `type` on that node. */
async function until(node: string, type: LabEvent['type'], action: () => Promise<unknown>): Promise<void> {
  const from = lab.log().length
  await action()
  await lab.logged((event) => event.type === type && 'node' in event && event.node === node, { from })
}

async function bootId(node: string): Promise<string> {
  const { nodes = [] } = await lab.status()
  return nodes.find(({ name }) => name === node)?.bootId ?? ''
}

async function version(node: string): Promise<string | undefined> {
  return /Server:[\s\S]*Tag: +(\S+)/.exec((await talosctl(node, ['version'])).stdout)?.[1]
}

const restarts = (node: string) => until(node, 'machine.ready', () => talosctl(node, ['reboot', '--wait=false']))

test.after.each(() => lab.cure())
test.after(() => lab.down())

test('image-pull-fails on 1.13: the pull fails with NotFound', async () => {
  await lab.fault({ name: 'image-pull-fails', node: 'k8s-1' })
  const { code, stderr } = await talosctl('k8s-1', ['image', 'pull', '--namespace', 'system', target])
  assert.is(code, 1)
  assert.match(stderr, 'not found')
})

test('image-pull-fails on 1.12: the upgrade is refused before anything changes', async () => {
  await lab.fault({ name: 'image-pull-fails', node: 'k8s-2' })
  const before = await bootId('k8s-2')
  const { code, stderr } = await talosctl('k8s-2', ['upgrade', '--image', target])
  assert.is(code, 1)
  assert.match(stderr, 'error validating installer image')
  assert.is(await bootId('k8s-2'), before)
})

test('image-pull-hangs on 1.13: no end; a client that goes away ends the pull', async () => {
  await lab.fault({ name: 'image-pull-hangs', node: 'k8s-1' })
  await until('k8s-1', 'pull.failed', async () => {
    const { code } = await talosctl('k8s-1', ['image', 'pull', '--namespace', 'system', target], { timeoutMs: 2000 })
    assert.is(code, null)
  })
})

test('install-fails on 1.13: exit code of the installer, nothing waits in the other slot', async () => {
  await lab.fault({ name: 'install-fails', node: 'k8s-1' })
  const { code, stderr } = await talosctl('k8s-1', ['upgrade', '--image', target, '--no-reboot'])
  assert.is(code, 1)
  assert.match(stderr, 'upgrade failed with exit code 1')
  const { nodes = [] } = await lab.status()
  assert.is(nodes.find(({ name }) => name === 'k8s-1')?.defaultSlot, 'A')
})

test('install-fails on 1.12: the node reboots into what it had', async () => {
  await lab.fault({ name: 'install-fails', node: 'k8s-2' })
  const before = await bootId('k8s-2')
  await until('k8s-2', 'machine.ready', () => talosctl('k8s-2', ['upgrade', '--image', target, '--wait=false']))
  assert.is.not(await bootId('k8s-2'), before)
  assert.is(await version('k8s-2'), 'v1.12.9')
})

test('boots-back-to-old-version on 1.13: a new boot id with the old version', async () => {
  await lab.fault({ name: 'boots-back-to-old-version', node: 'k8s-1' })
  const before = await bootId('k8s-1')
  assert.is((await talosctl('k8s-1', ['upgrade', '--image', target, '--no-reboot'])).code, 0)
  await restarts('k8s-1')
  assert.is.not(await bootId('k8s-1'), before)
  assert.is(await version('k8s-1'), 'v1.13.5')
})

test('boots-back-to-old-version on 1.12: talosctl upgrade ends well, and the version is the old one', async () => {
  await lab.fault({ name: 'boots-back-to-old-version', node: 'k8s-2' })
  const { code, stderr } = await talosctl('k8s-2', ['upgrade', '--image', target])
  assert.is(code, 0, stderr)
  assert.is(await version('k8s-2'), 'v1.12.9')
})

test('never-returns: connection refused until cured', async () => {
  await lab.fault({ name: 'never-returns', node: 'k8s-1' })
  await until('k8s-1', 'fault.fired', () => talosctl('k8s-1', ['reboot', '--wait=false']))
  const { code, stderr } = await talosctl('k8s-1', ['version'])
  assert.is(code, 1)
  assert.match(stderr, 'connection refused')
  await until('k8s-1', 'machine.ready', () => lab.cure())
})

test('power-cut: gone at once, and back with its etcd member when the power is', async () => {
  const { nodes: before = [] } = await lab.status()
  await lab.fault({ name: 'power-cut', node: 'k8s-2', seconds: 10_000 })
  const { code, stderr } = await talosctl('k8s-2', ['version'])
  assert.is(code, 1)
  assert.match(stderr, 'connection refused')
  await until('k8s-2', 'machine.ready', () => lab.cure())
  const { nodes = [] } = await lab.status()
  const [was, is] = [before, nodes].map((all) => all.find(({ name }) => name === 'k8s-2'))
  assert.is.not(is?.bootId, was?.bootId)
  assert.is(is?.etcd?.healthy, true)
})

test('returns-not-ready: running, not ready, until cured', async () => {
  await lab.fault({ name: 'returns-not-ready', node: 'k8s-1' })
  await until('k8s-1', 'fault.fired', () => talosctl('k8s-1', ['reboot', '--wait=false']))
  const { stdout } = await talosctl('k8s-1', ['get', 'machinestatus', '-o', 'json'])
  const { stage, status } = JSON.parse(stdout).spec
  assert.equal([stage, status.ready, status.unmetConditions[0].name], ['running', false, 'nodeReady'])
  await until('k8s-1', 'machine.ready', () => lab.cure())
})

test('renamed-at-boot: the node comes back under another name, its etcd member too, and then under its own', async () => {
  const names = async () => {
    const [hostname, nodename] = await Promise.all(
      ['hostname', 'nodename'].map(async (kind) => {
        const { stdout } = await talosctl('k8s-1', ['get', kind, `--output=jsonpath={.spec.${kind}}`])
        return stdout.trim()
      }),
    )
    const { stdout } = await talosctl('k8s-3', ['etcd', 'members'])
    return [hostname, nodename, /k8s-1\w?/.exec(stdout)?.[0]]
  }
  await lab.fault({ name: 'renamed-at-boot', node: 'k8s-1' })
  await restarts('k8s-1')
  assert.equal(await names(), ['k8s-1b', 'k8s-1b', 'k8s-1b'])
  await lab.cure()
  await restarts('k8s-1')
  assert.equal(await names(), ['k8s-1', 'k8s-1', 'k8s-1'])
})

test('log-unreadable: the log of machined is an error, until cured', async () => {
  await lab.fault({ name: 'log-unreadable', node: 'k8s-1' })
  const hidden = await talosctl('k8s-1', ['logs', 'machined'])
  assert.is(hidden.stdout, '')
  assert.match(hidden.stderr, 'input/output error')
  await lab.cure()
  assert.match((await talosctl('k8s-1', ['logs', 'machined'])).stdout, '[talos]')
})

test('slow-boot: the node comes back, later', async () => {
  await lab.fault({ name: 'slow-boot', node: 'k8s-1', seconds: 30, times: 1 })
  const from = lab.log().length
  await restarts('k8s-1')
  assert.ok(
    lab
      .log()
      .slice(from)
      .some((event) => event.type === 'fault.fired' && event.fault === 'slow-boot'),
  )
})

test('connection-lost-during-reboot: talosctl fails and the node has rebooted', async () => {
  await lab.fault({ name: 'connection-lost-during-reboot', node: 'k8s-1' })
  const before = await bootId('k8s-1')
  await until('k8s-1', 'machine.ready', async () => {
    assert.is((await talosctl('k8s-1', ['reboot', '--wait=false'])).code, 1)
  })
  assert.is.not(await bootId('k8s-1'), before)
})

test('reboot-request-lost: talosctl fails and the node has not rebooted; the next request works', async () => {
  await lab.fault({ name: 'reboot-request-lost', node: 'k8s-1' })
  const before = await bootId('k8s-1')
  const { code, stderr } = await talosctl('k8s-1', ['reboot', '--wait=false'])
  assert.is(code, 1)
  assert.match(stderr, 'Unavailable')
  assert.is(await bootId('k8s-1'), before)
  await restarts('k8s-1')
  assert.is.not(await bootId('k8s-1'), before)
})

test('reboot-request-lost on 1.12: the upgrade request is lost and nothing happens', async () => {
  await lab.fault({ name: 'reboot-request-lost', node: 'k8s-2' })
  const before = await bootId('k8s-2')
  assert.is((await talosctl('k8s-2', ['upgrade', '--image', target, '--wait=false'])).code, 1)
  assert.is(await bootId('k8s-2'), before)
})

test('unreachable-for: no answer and no refusal, and then answers again', async () => {
  await lab.fault({ name: 'unreachable-for', node: 'k8s-1', seconds: 1_000_000 })
  assert.is((await talosctl('k8s-1', ['version'], { timeoutMs: 2000 })).code, null)
  await lab.cure()
  assert.is(await version('k8s-1'), 'v1.13.5')
})

test('etcd-member-down: whoever asks it is answered by nothing, and the others list it as a member', async () => {
  await lab.fault({ name: 'etcd-member-down', node: 'k8s-1' })
  const asked = [
    ['status'],
    ['members'],
    ['alarm', 'list'],
    ['forfeit-leadership'],
    ['snapshot', join(lab.dir, 'never.db')],
  ]
  const answers = await Promise.all(asked.map((argv) => talosctl('k8s-1', ['etcd', ...argv], { timeoutMs: 5000 })))
  for (const answer of answers) assert.equal([answer.code, answer.stdout], [null, ''])
  assert.match((await talosctl('k8s-3', ['etcd', 'members'])).stdout, 'k8s-1')
  assert.match((await talosctl('k8s-1', ['services'])).stdout, /etcd +\S+ +(Fail|\?)/)
  await until('k8s-1', 'machine.ready', () => lab.cure())
})

test('etcd-alarm-nospace: every member tells of it until it is cured', async () => {
  await lab.fault({ name: 'etcd-alarm-nospace', node: 'k8s-1' })
  assert.match((await talosctl('k8s-3', ['etcd', 'alarm', 'list'])).stdout, 'NOSPACE')
  await lab.cure()
  assert.not.match((await talosctl('k8s-3', ['etcd', 'alarm', 'list'])).stdout, 'NOSPACE')
})

test('etcd-learner: a member without a name that learns', async () => {
  await lab.fault({ name: 'etcd-learner', node: 'k8s-1' })
  assert.match((await talosctl('k8s-3', ['etcd', 'members'])).stdout, 'true')
  await lab.cure()
  assert.not.match((await talosctl('k8s-3', ['etcd', 'members'])).stdout, 'true')
})

test('etcd-slow-to-catch-up: after a boot the applied index is far behind the index, until cured', async () => {
  await lab.fault({ name: 'etcd-slow-to-catch-up', node: 'k8s-1', seconds: 1_000_000 })
  await restarts('k8s-1')
  const lag = async () => {
    const row = (await talosctl('k8s-1', ['etcd', 'status'])).stdout.split('\n')[1] ?? ''
    const numbers = row
      .split(/\s{2,}/)
      .filter((cell) => /^\d{6,}$|^\d{5}$/.test(cell))
      .map(Number)
    return (numbers[0] ?? 0) - (numbers.at(-1) ?? 0)
  }
  assert.ok((await lag()) > 10_000)
  await lab.cure()
  assert.ok((await lag()) < 1000)
})

test('answers-garbage: a version that is none', async () => {
  await lab.fault({ name: 'answers-garbage', node: 'k8s-1' })
  assert.is(await version('k8s-1'), 'garbage')
})

test('wrong-ca: talosctl does not believe the node', async () => {
  await lab.fault({ name: 'wrong-ca', node: 'k8s-1' })
  const address = lab.addresses['k8s-1'] ?? ''
  const { code, stderr } = await lab.talosctl(['-e', address, '-n', address, 'version'])
  assert.is(code, 1)
  assert.match(stderr, 'certificate signed by unknown authority')
})

test('A fault at an occasion strikes between two commands', async () => {
  await lab.fault({ name: 'etcd-member-down', node: 'k8s-2', when: 'k8s-1 ready' })
  await restarts('k8s-1')
  assert.ok(lab.log().some((event) => event.type === 'fault.injected' && event.when === 'k8s-1 ready'))
  await until('k8s-2', 'machine.ready', () => lab.cure())
})

test('All of that was done one control plane at a time, and the invariants held', () => {
  // a person at talosctl, who does not look at etcd first
  assert.equal(new Set(lab.check().map(({ invariant }) => invariant)), new Set(['looked-last']))
})

test.run()
