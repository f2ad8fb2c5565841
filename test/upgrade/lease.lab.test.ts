// limit: 1200 s
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { type Running, startEntry } from '../support/run-entry.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

const test = suite('one run a cluster, wherever it was started')
const elsewhere = mkdtempSync(join(tmpdir(), 'checkout-'))
const node = 'worker-1'
let lab: TestLab

test.before(async () => {
  const workloads = [deployment('web', 2), database('db', 2), budgetOver('db', { minAvailable: 1 })]
  lab = await startLab({ kubernetes: true, controlPlanes: 1, workers: 2, workloads })
  // what git and gen-config would bring there: everything but the run folder
  const copy = join(elsewhere, 'clusters', `cluster-${lab.cluster}`)
  mkdirSync(copy, { recursive: true })
  cpSync(lab.clusterDir, copy, { recursive: true, filter: (path) => !path.includes('.run') })
})
test.after(async () => {
  rmSync(elsewhere, { recursive: true, force: true })
  await lab.down()
})

const upgrade = (dir: string): Running =>
  startEntry({ cluster: lab.cluster, dir }, { flags: ['--output', 'json', '--nodes', node] })

const failuresOf = (run: Running) => {
  const last = run.events().find((event) => event.type === 'run.finished')
  return last?.type === 'run.finished' ? last.failures : []
}

test('a run that was killed in a drain does not block the next one, whose wish is another', async () => {
  const from = lab.log().length
  const killed = startEntry(lab, { flags: ['--output', 'json', '--nodes', 'worker-2', '--to', 'v1.13.6'] })
  const isEviction = (event: LoggedEvent) =>
    event.type === 'pod.evicted' && !event.dryRun && event.code === 201 && event.pod.startsWith('default/db')
  await lab.logged(isEviction, { from })
  killed.kill('SIGKILL')
  await killed.exited
  // its replica waits for the cordoned node, so the budget allows no eviction from the other one
  const flags = ['--output', 'json', '--nodes', 'worker-1,worker-2', '--to', 'v1.13.6']
  const next = startEntry(lab, { flags })
  const { code, stdout } = await next.closed
  assert.is(code, 0, stdout)
  const notices = next.events().flatMap((event) => (event.type === 'notice' ? [event.text] : []))
  assert.match(notices.join(), 'lifted the cordon that an earlier run left on worker-2')
  assert.equal(lab.check(), [])
})

test('of fifty from two checkouts one runs, and the others exit 75 and name it', async () => {
  const from = lab.log().length
  // the one that runs stays until the others have had their turn
  await lab.fault({ name: 'never-returns', node })
  const all = Array.from({ length: 50 }, (_, index) => upgrade(index % 2 === 0 ? lab.dir : elsewhere))
  const ended = new Set<Running>()
  for (const run of all) void run.closed.then(() => ended.add(run))
  await lab.logged((event) => event.type === 'machine.down', { from })
  const [winner, ...others] = [...all].sort((a, b) => Number(ended.has(a)) - Number(ended.has(b)))
  assert.ok(winner && !ended.has(winner))
  for (const run of others) {
    assert.is((await run.closed).code, 75)
    const [why, ...more] = failuresOf(run)
    assert.equal([why?.reason, more.length], ['locked', 0])
  }
  const named = others.filter((run) => failuresOf(run)[0]?.detail?.includes(`(pid ${winner.pid} o`))
  const byLease = others.filter((run) => failuresOf(run)[0]?.detail?.includes('says its Lease in Kubernetes'))
  assert.ok(byLease.length > 0, 'nobody met the Lease')
  assert.ok(
    byLease.every((run) => named.includes(run)),
    'who meets the Lease is told who holds it',
  )
  await lab.cure()
  assert.is((await winner.closed).code, 0)

  const log = lab.log().slice(from)
  const count = (type: string) =>
    log.filter((event) => event.type === type && 'node' in event && event.node === node).length
  assert.equal([count('install.started'), count('reboot.requested'), count('node.cordoned')], [1, 1, 1])
  let holder: string | undefined
  const holders = new Set<string>()
  for (const event of log) {
    if (event.type !== 'lease.changed') continue
    assert.ok(
      holder === undefined || event.holder === undefined || event.holder === holder,
      'two hold the Lease at once',
    )
    holder = event.holder
    if (holder !== undefined) holders.add(holder)
  }
  assert.is(holders.size, 1)
  assert.is(holder, undefined, 'the Lease was given back')
  assert.equal(lab.check(), [])
})

test('a killed run of this machine is followed at once, from another checkout too, and its cordon is lifted', async () => {
  await lab.kubectl(['delete', 'deployment', 'web'])
  const from = lab.log().length
  const second = 'worker-2'
  const flags = ['--output', 'json', '--nodes', second]
  const killed = startEntry(lab, { flags })
  await lab.logged((event) => event.type === 'node.cordoned', { from })
  killed.kill('SIGKILL')
  await killed.exited
  // another wish, on another node, from another folder: all that they share is Kubernetes
  const next = startEntry(
    { cluster: lab.cluster, dir: elsewhere },
    { flags: ['--output', 'json', '--nodes', 'k8s-1', '--accept-etcd-outage'] },
  )
  const { code, stdout } = await next.closed
  assert.is(code, 0, stdout)
  const notices = next.events().flatMap((event) => (event.type === 'notice' ? [event.text] : []))
  assert.match(notices.join(), /took over the Lease of .+, which is gone/)
  const lifted = lab
    .log()
    .slice(from)
    .filter((event) => event.type === 'node.uncordoned' && event.node === second)
  assert.is(lifted.length, 1)
  assert.equal(lab.check(), [])
})

test.run()
