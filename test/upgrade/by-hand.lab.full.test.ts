// limit: 900 s
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { stringify } from 'yaml'
import type { Breach } from '../../lab/check.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import { dieAfterIntent, journalOf } from '../support/crash.ts'
import { eventually } from '../support/eventually.ts'
import { labImage, startLab, type TestLab } from '../support/lab.ts'
import { changesOf, untilWell } from '../support/lab-changes.ts'
import { startEntry } from '../support/run-entry.ts'
import { budgetOver, database, deployment } from '../support/workloads.ts'

/** One cluster, whose upgrade is killed again and again right after the intent of a reboot, the node drained by then. */
const test = suite('what people do between death and resume')
let lab: TestLab
/** rules that a reboot by hand breaks: nobody drains for it, or looks at etcd */
let byPeople: Breach[] = []

test.before(async () => {
  const workloads = [deployment('web', 3), budgetOver('web', { minAvailable: 1 }), database('db', 3)]
  lab = await startLab({ kubernetes: true, workloads })
  writeFileSync(join(lab.clusterDir, 'operations.yaml'), stringify({ upgrade: { soak: '1s' } }))
})
test.after(() => lab.down())

const target = 'v1.13.9'
const upgrade = (flags: readonly string[] = []) => startEntry(lab, { flags: ['--output', 'plain', ...flags] }).closed

/** The node that the killed run was about to reboot. */
const nextToGo = (): string => {
  const last = journalOf(lab).at(-1)
  return last?.type === 'intent' && last.step === 'reboot' ? (last.node ?? '') : ''
}

const versions = async (): Promise<Record<string, string>> =>
  Object.fromEntries(((await lab.status()).nodes ?? []).map(({ name, version }) => [name, version]))

async function byHand(node: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.talosctl(['-n', lab.addresses[node] ?? '', ...argv])
  assert.is(code, 0, stderr)
  return stdout
}

async function kubectl(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.kubectl(argv)
  assert.is(code, 0, stderr)
  return stdout
}

test('somebody who lives takes the Lease: 75, and nothing is done until they are gone', async () => {
  await dieAfterIntent(lab, 'reboot')
  const elsewhere = mkdtempSync(join(tmpdir(), 'checkout-'))
  try {
    const copy = join(elsewhere, 'clusters', `cluster-${lab.cluster}`)
    mkdirSync(copy, { recursive: true })
    cpSync(lab.clusterDir, copy, { recursive: true, filter: (path) => !path.includes('.run') })
    const from = lab.log().length
    const other = startEntry({ cluster: lab.cluster, dir: elsewhere }, { flags: ['--output', 'plain'] })
    try {
      await lab.logged((event) => event.type === 'lease.changed' && event.holder !== undefined, { from })
      other.kill('SIGSTOP')
      const before = changesOf(lab.log())
      const { code, stdout } = await upgrade()
      assert.is(code, 75, stdout)
      assert.match(stdout, `(pid ${other.pid} of `)
      assert.equal(changesOf(lab.log()), before)
    } finally {
      other.kill('SIGKILL')
      await other.exited
    }
  } finally {
    rmSync(elsewhere, { recursive: true, force: true })
  }
})

test('an alarm is raised: 77, nobody is rebooted, and the cordon is lifted when etcd takes writes again', async () => {
  const node = nextToGo()
  const third = Object.keys(lab.addresses).find((name) => name !== node)
  await lab.fault({ name: 'etcd-alarm-nospace', node: third ?? '' })
  const before = changesOf(lab.log())
  const run = startEntry(lab)
  // with that alarm the API server can write nothing at all
  await run.said((event) => event.type === 'waiting' && event.step === 'uncordon')
  await lab.cure()
  const { code, stdout } = await run.closed
  assert.is(code, 77, stdout)
  assert.equal(changesOf(lab.log()), before)
  assert.equal(await lab.cordoned(), [])
})

test('another version is installed by hand: the node whose turn it was goes on, and nothing is installed over the other', async () => {
  await dieAfterIntent(lab, 'reboot')
  const node = nextToGo()
  const third = Object.keys(lab.addresses).find((name) => name !== node) ?? ''
  await byHand(third, 'upgrade', '--image', labImage('v1.13.7'), '--no-reboot')
  const run = startEntry(lab)
  const { code, stdout } = await run.closed
  assert.is(code, 77, stdout)
  const last = run.events().at(-1)
  assert.ok(last?.type === 'run.finished')
  assert.equal(
    last.failures.map((why) => [why.node, why.reason]),
    [[third, 'other-version-waiting']],
  )
  assert.is(last.verdicts[node], 'upgraded')
  assert.is((await versions())[node], target, 'the one that had its turn before is done')
  assert.equal((await versions())[third], 'v1.13.5')
  assert.equal(lab.check(), [])
  await byHand(third, 'reboot')
  await untilWell(lab)
  byPeople = lab.check()
  assert.equal((await versions())[third], 'v1.13.7')
})

test('leadership moves there, its pods come back, and another node is cordoned: all of it is done again, and 0', async () => {
  const order = (await byHand('k8s-1', 'etcd', 'members')).split('\n').map((line) => {
    const node = Object.keys(lab.addresses).find((name) => line.includes(` ${name} `))
    return node ?? ''
  })
  const now = await versions()
  // leadership is handed over to the first other member of the list, so that the last one never gets it
  const members = order.filter((name) => name !== '')
  const node = members.slice(0, 2).find((name) => now[name] !== target) ?? ''
  const done = members.find((name) => now[name] === target) ?? ''
  await dieAfterIntent(lab, 'reboot', ['--nodes', node])
  assert.is(nextToGo(), node)

  await eventually(
    async () => {
      const leader = await leaderOf()
      if (leader === node) return true
      if (leader !== undefined) await byHand(leader, 'etcd', 'forfeit-leadership')
      return undefined
    },
    () => `${node} never got to lead etcd`,
  )
  await kubectl('uncordon', node)
  await kubectl('scale', 'deployment', 'web', '--replicas=9')
  const isBack = async () => {
    const pods = await kubectl('get', 'pods', '--selector=app=web', '--output=wide', '--no-headers')
    return pods.split('\n').some((line) => line.includes(node) && line.includes('Running')) || undefined
  }
  await eventually(isBack, () => `no pod came back to ${node}`)
  await kubectl('cordon', done)

  const from = lab.log().length
  const { code, stdout } = await upgrade(['--nodes', node])
  assert.is(code, 0, stdout)
  const since = lab.log().slice(from)
  const at = (fits: (event: LoggedEvent) => boolean) => since.findIndex(fits)
  const asked = at((event) => event.type === 'reboot.requested' && event.node === node)
  const evicted = at((event) => event.type === 'pod.evicted' && event.code === 201 && event.node === node)
  const handed = at((event) => event.type === 'rpc' && event.method.endsWith('/EtcdForfeitLeadership'))
  assert.ok(evicted >= 0 && evicted < asked, `evicted ${evicted}, asked ${asked}\n${stdout}`)
  assert.ok(handed >= 0 && handed < asked, `handed over ${handed}, asked ${asked}\n${stdout}`)
  assert.equal(await lab.cordoned(), [done])
  assert.is((await versions())[node], target)
})

test('at the end all of them run the target, and no run broke a rule', async () => {
  const { code, stdout } = await upgrade()
  assert.is(code, 0, stdout)
  assert.equal(new Set(Object.values(await versions())), new Set([target]))
  assert.equal(lab.check(), byPeople)
})

/** Who leads etcd, by what it says of itself. */
async function leaderOf(): Promise<string | undefined> {
  for (const name of Object.keys(lab.addresses)) {
    const [member, leader] = (await byHand(name, 'etcd', 'status')).match(/\b[0-9a-f]{12,16}\b/g) ?? []
    if (member !== undefined && member === leader) return name
  }
  return undefined
}

test.run()
