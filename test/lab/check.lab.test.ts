import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Invariant } from '../../lab/check.ts'
import { labImage, startLab } from '../support/lab.ts'

// What the checks are for: each invariant that can be broken with the real talosctl is broken with it, on purpose.
const lab = await startLab({ speed: 40, timings: { installSeconds: 200 } })
const image = labImage('v1.13.9')

const at = (node: string) => ['-e', lab.addresses[node] ?? '', '-n', lab.addresses[node] ?? '']
const talosctl = (node: string, ...argv: string[]) => lab.talosctl([...at(node), ...argv])

/** Which invariants the log breaks from line `from` on, as if the lab had come up then. */
function broken(): Set<Invariant> {
  return new Set(lab.check().map(({ invariant }) => invariant))
}

test.after(() => lab.down())

test('Before anything happens all invariants hold', () => {
  assert.equal(lab.check(), [])
})

test('A talosctl that is killed while it installs cuts nothing off; a reboot does, and whoever asks for it without a look at etcd breaks looked-last', async () => {
  const from = lab.log().length
  const image = labImage('v1.14.1')
  assert.is((await talosctl('k8s-3', 'image', 'pull', '--namespace', 'system', image)).code, 0)
  const argv = [`--talosconfig=${join(lab.clusterDir, 'talosconfig')}`, ...at('k8s-3'), 'upgrade', '--image', image]
  const installing = spawn(lab.tools.talosctl, [...argv, '--no-reboot'], { stdio: 'ignore' })
  await lab.logged(({ type }) => type === 'install.started', { from })
  installing.kill('SIGKILL')
  await lab.logged(({ type }) => type === 'install.finished', { from })
  assert.equal(lab.check(), [])
  await talosctl('k8s-3', 'reboot', '--wait=false')
  await lab.logged((event) => event.type === 'machine.ready' && event.node === 'k8s-3', { from })
  // each release runs the etcd that it ships, on the data of the one before, beside members of the other
  const status = await Promise.all(['k8s-1', 'k8s-3'].map((node) => talosctl(node, 'etcd', 'status')))
  assert.equal(
    status.map(({ stdout }) => / (3\.\d+)\.\d+ /.exec(stdout)?.[1]),
    ['3.6', '3.7'],
    JSON.stringify(status),
  )
  assert.is((await talosctl('k8s-3', 'etcd', 'members')).stdout.match(/k8s-\d/g)?.length, 3)
  const bootId = await talosctl('k8s-3', 'get', 'bootid', '--output=jsonpath={.spec.bootID}')
  const { nodes = [] } = await lab.status()
  assert.is(bootId.stdout.trim(), nodes.find(({ name }) => name === 'k8s-3')?.bootId, bootId.stderr)
  assert.match((await talosctl('k8s-1', 'get', 'bootid')).stderr, 'is not registered')
  const again = lab.log().length
  assert.is((await talosctl('k8s-3', 'image', 'pull', '--namespace', 'system', image)).code, 0)
  const second = spawn(lab.tools.talosctl, [...argv, '--no-reboot'], { stdio: 'ignore' })
  await lab.logged(({ type }) => type === 'install.started', { from: again })
  await talosctl('k8s-3', 'reboot', '--wait=false')
  await lab.logged(({ type }) => type === 'install.cut-off', { from: again })
  second.kill('SIGKILL')
  assert.equal(broken(), new Set(['looked-last', 'install-not-cut-off']))
  await lab.logged((event) => event.type === 'machine.ready' && event.node === 'k8s-3', { from: again })
})

test('Two installations without a boot between them break one-install-a-boot, and the old version is gone', async () => {
  assert.is((await talosctl('k8s-3', 'image', 'pull', '--namespace', 'system', image)).code, 0)
  assert.is((await talosctl('k8s-3', 'upgrade', '--image', image, '--no-reboot')).code, 0)
  assert.not.ok(broken().has('one-install-a-boot'))
  assert.is((await talosctl('k8s-3', 'upgrade', '--image', image, '--no-reboot')).code, 0)
  assert.ok(broken().has('one-install-a-boot'))
  const { nodes = [] } = await lab.status()
  const slots = nodes.find(({ name }) => name === 'k8s-3')?.slots
  assert.equal([slots?.A?.version, slots?.B?.version], ['v1.13.9', 'v1.13.9'])
})

test('A reboot into what was installed before somebody staged a configuration breaks config-kept, and one right after the hand-over looked-last', async () => {
  const from = lab.log().length
  for (const node of ['k8s-1', 'k8s-2']) assert.is((await talosctl(node, 'etcd', 'status')).code, 0)
  assert.is((await talosctl('k8s-3', 'etcd', 'forfeit-leadership')).code, 0)
  await lab.fault({ name: 'config-staged', node: 'k8s-3' })
  assert.not.ok(broken().has('config-kept'))
  await talosctl('k8s-3', 'reboot', '--wait=false')
  await lab.logged((event) => event.type === 'machine.ready' && event.node === 'k8s-3', { from })
  assert.ok(broken().has('config-kept'))
  const sentences = lab.check().map(({ sentence }) => sentence)
  assert.ok(sentences.includes('k8s-3 was told to reboot, drained or handed over after the last look at etcd on k8s-1'))
})

test('Two control planes rebooted at once break the order, the quorum and, when they stay away, the writes', async () => {
  await lab.fault({ name: 'never-returns', node: 'k8s-1' })
  await lab.fault({ name: 'never-returns', node: 'k8s-2' })
  await Promise.all(['k8s-1', 'k8s-2'].map((node) => talosctl(node, 'reboot', '--wait=false')))
  await lab.logged((event) => event.type === 'etcd.gap' && event.node === 'k8s-3' && event.ms > 5000)
  const found = broken()
  for (const invariant of ['others-ready', 'etcd-quorum', 'one-control-plane-down', 'etcd-writes'] as const) {
    assert.ok(found.has(invariant), invariant)
  }
})

test.run()
