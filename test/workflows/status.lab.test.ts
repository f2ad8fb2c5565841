// limit: 240 s
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Ended, labSchematic, startLab, type TestLab } from '../support/lab.ts'

const test = suite('status, in the lab')
const root = join(import.meta.dirname, '..', '..')

let lab: TestLab
test.before(async () => {
  lab = await startLab({ controlPlanes: 3, workers: 1, versions: { 'worker-1': 'v1.13.9' } })
})
test.after(() => lab.down())

function status(...flags: string[]): Promise<Ended> {
  const argv = ['--import', 'tsx', 'workflows/status.ts', '--cluster', lab.cluster, '--dir', lab.dir, ...flags]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...said }))
  })
}

test('shows every node, what it runs and what its etcd member does', async () => {
  const { code, stdout, stderr } = await status()
  assert.is(code, 0, stderr)
  const lines = stdout.split('\n')
  assert.match(lines[0] ?? '', /^node +role +stage +version +schematic +kubelet +etcd$/)
  const nodes = lines.slice(1, 5)
  const short = labSchematic.slice(0, 7)
  for (const [i, line] of nodes.slice(0, 3).entries()) {
    const expected = `^k8s-${i + 1} +controlplane +ready +v1\\.13\\.5 → v1\\.13\\.9 +${short} +v1\\.36\\.1 +(leader|voter)(, \\d+ behind)?$`
    assert.match(line, new RegExp(expected))
  }
  assert.is(nodes.filter((line) => /leader/.test(line)).length, 1)
  assert.match(nodes[3] ?? '', new RegExp(`^worker-1 +worker +ready +v1\\.13\\.9 +${short} +v1\\.36\\.1$`))
})

test('gives scripts the observation itself', async () => {
  const { code, stdout } = await status('--output', 'json')
  assert.is(code, 0)
  const seen = JSON.parse(stdout)
  assert.is(seen.v, 1)
  assert.is(seen.cluster, `cluster-${lab.cluster}`)
  assert.equal(Object.keys(seen.nodes), ['k8s-1', 'k8s-2', 'k8s-3', 'worker-1'])
  assert.is(seen.nodes['k8s-1'].schematic, labSchematic)
  assert.is(seen.etcd.members.length, 3)
})

test('says of an alarm what etcd says, and of a node that is gone why it does not answer', async () => {
  await lab.fault({ name: 'etcd-alarm-nospace', node: 'k8s-1' })
  await lab.fault({ name: 'unreachable-for', node: 'k8s-3', seconds: 1_000_000 })
  const { code, stdout } = await status()
  assert.is(code, 0)
  assert.match(stdout, /^k8s-3 +controlplane +unreachable +does not answer$/m)
  assert.match(stdout, /^k8s-3: \S/m)
  assert.match(stdout, /etcd alarm NOSPACE/)
})

test.run()
