// limit: 1200 s
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { resolveTool } from '../../scripts/toolchain/resolve-tool.ts'
import { inFull } from '../support/in-full.ts'
import { startLab, type TestLab } from '../support/lab.ts'
import { type Running, startEntry, watchProcess } from '../support/run-entry.ts'
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

const many = inFull ? 50 : 10

test(`of ${many} from two checkouts one runs, and the others exit 75 and name it`, async () => {
  const from = lab.log().length
  // the one that runs stays until the others have had their turn
  await lab.fault({ name: 'never-returns', node })
  const all = Array.from({ length: many }, (_, index) => upgrade(index % 2 === 0 ? lab.dir : elsewhere))
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

test('what somebody cordons where the mark of a killed run is left stays cordoned, and the mark goes', async () => {
  await lab.kubectl(['delete', 'deployment', 'web'])
  const from = lab.log().length
  const killed = startEntry(lab, { flags: ['--output', 'json', '--nodes', 'worker-2'] })
  await lab.logged((event) => event.type === 'node.cordoned' && event.node === 'worker-2', { from })
  killed.kill('SIGKILL')
  await killed.exited
  await lab.kubectl(['uncordon', 'worker-2'])
  await lab.fault({ name: 'foreign-cordon', node: 'worker-2' })
  const mark = ['get', 'node', 'worker-2', '--output=jsonpath={.metadata.annotations.talos-workflows/cordon}']
  assert.match((await lab.kubectl(mark)).stdout, '"run"')
  // the only control plane is refused, once dead cordons are lifted
  const next = startEntry(lab, { flags: ['--output', 'json', '--nodes', 'k8s-1'] })
  assert.is((await next.closed).code, 77)
  assert.equal([await lab.cordoned(), (await lab.kubectl(mark)).stdout], [['worker-2'], ''])
  await lab.cure()
  await lab.logged((event) => event.type === 'node.uncordoned' && event.by === 'lab', { from })
  assert.equal(lab.check(), [])
})

test('a killed run of this machine is followed at once, from another checkout too, and its cordon is lifted', async () => {
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

const mayBeOthers =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0 &&
  spawnSync('setpriv', ['--reuid=65534', 'true']).status === 0

const shown = mayBeOthers ? test : test.skip
const asOthers = inFull ? shown : undefined
asOthers?.(
  'another container whose clock is two hours ahead, and another user, are refused (as root only)',
  async () => {
    const from = lab.log().length
    // the one that was killed before: its run goes on
    const other = 'worker-2'
    await lab.fault({ name: 'never-returns', node: other })
    const first = startEntry(lab, { flags: ['--output', 'json', '--nodes', other] })
    await lab.logged((event) => event.type === 'machine.down', { from })

    const as = (wrapper: readonly string[], dir: string, env: NodeJS.ProcessEnv = {}): Running => {
      const [program = '', ...before] = wrapper
      const entry = [
        'workflows/upgrade.ts',
        '--cluster',
        lab.cluster,
        '--dir',
        dir,
        '--nodes',
        other,
        '--output',
        'json',
      ]
      return watchProcess(program, [...before, ...entry], { ...process.env, ...env })
    }
    const tsx = [process.execPath, '--import', 'tsx']
    const clockAhead = join(import.meta.dirname, '../support/clock-ahead.ts')
    const container = as(['unshare', '--pid', '--fork', '--mount-proc', ...tsx, '--import', clockAhead], elsewhere)

    // what a second person on this computer has: the declaration, and tools of their own
    for (const path of [lab.dir, join(lab.dir, 'clusters'), lab.clusterDir]) chmodSync(path, 0o755)
    chmodSync(join(lab.clusterDir, 'talosconfig'), 0o644)
    const tools = mkdtempSync(join(tmpdir(), 'tools-'))
    chmodSync(tools, 0o755)
    const kubectl = await resolveTool('kubectl')
    assert.ok(kubectl.found)
    const named = { TALOSCTL: join(tools, 'talosctl'), KUBECTL: join(tools, 'kubectl') }
    // those of root are no programs to anybody else
    const env = { ...named, TALOSCTL_1_13: undefined, TALOSCTL_1_14: undefined, HOME: tools }
    for (const [path, copy] of [
      [lab.tools.talosctl, named.TALOSCTL],
      [kubectl.path, named.KUBECTL],
    ] as const) {
      copyFileSync(path, copy)
      chmodSync(copy, 0o755)
    }
    try {
      const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...tsx]
      const locked = as(nobody, lab.dir, env)
      assert.is((await locked.closed).code, 69, (await locked.closed).stderr)
      assert.match(failuresOf(locked)[0]?.detail ?? '', /\.run belongs to root, and this is nobody \(EACCES\)$/)
      chmodSync(join(lab.clusterDir, '.run'), 0o777)
      const person = as(nobody, lab.dir, env)
      assert.is((await person.closed).code, 75, (await person.closed).stderr)
      assert.match(failuresOf(person)[0]?.detail ?? '', `(pid ${first.pid} of root on `)
    } finally {
      rmSync(tools, { recursive: true, force: true })
    }

    const { code, stdout } = await container.closed
    assert.is(code, 75, stdout)
    const notices = container.events().flatMap((event) => (event.type === 'notice' ? [event.text] : []))
    assert.match(notices.join(), /can not be judged from here: watching whether it is still renewed, until /)
    assert.match(failuresOf(container)[0]?.detail ?? '', `(pid ${first.pid} of root on `)

    await lab.cure()
    assert.is((await first.closed).code, 0, (await first.closed).stdout)
    const holders = lab
      .log()
      .slice(from)
      .flatMap((event) => (event.type === 'lease.changed' ? [event.holder] : []))
    assert.is(new Set(holders.filter(Boolean)).size, 1, "the Lease was never anybody else's")
    assert.equal(lab.check(), [])
  },
)

test('a Lease that is lost after an installation ends with 1: what was begun is told, and is finished by the next run', async () => {
  const from = lab.log().length
  const flags = ['--output', 'json', '--nodes', node, '--to', 'v1.13.10']
  const goOn = join(elsewhere, 'go-on')
  const env = { ...process.env, HOLD_OUTCOME_OF: 'install', GO_ON: goOn }
  const preload = join(import.meta.dirname, '../support/hold-outcome.ts')
  const loser = startEntry(lab, { flags, env, preload })
  await lab.logged((event) => event.type === 'install.finished', { from })
  const lease = ['lease', 'talos-workflows', '--namespace=kube-system']
  const taken = JSON.stringify({ spec: { holderIdentity: 'somebody' } })
  assert.is((await lab.kubectl(['patch', ...lease, '--type=merge', `--patch=${taken}`])).code, 0)
  writeFileSync(goOn, '')
  const { code, stdout } = await loser.closed
  assert.is(code, 1, stdout)
  assert.equal(
    failuresOf(loser).map(({ reason }) => reason),
    ['lock-lost'],
  )
  const last = loser.events().find((event) => event.type === 'run.finished')
  assert.equal(last?.type === 'run.finished' && last.verdicts, { [node]: 'installed-not-rebooted' })

  await lab.kubectl(['delete', ...lease])
  const next = startEntry(lab, { flags })
  assert.is((await next.closed).code, 0, (await next.closed).stdout)
  const count = (type: string) =>
    lab
      .log()
      .slice(from)
      .filter((event) => event.type === type && 'node' in event && event.node === node).length
  assert.equal([count('install.finished'), count('reboot.requested')], [1, 1])
  assert.equal(lab.check(), [])
})

test.run()
