// limit: 600 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import type { FailureReason } from '../../../workflows/model/failure.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf, type Fake } from '../../support/fake-command.ts'
import { theirLease } from '../../support/somebody-else.ts'

/** `b` goes first, `a` follows, and `c` leads etcd and goes last. */
const NAMES = ['a', 'b', 'c']

/** The run dies right after it has written down that it means to do this. */
const INSTALLS = ['a/install/install']
const LEAVES = ['check-etcd', 'cordon', 'drain', 'reboot'].map((step) => `a/turn/${step}`)
const RETURNS = ['rejoin', 'verify', 'settle', 'uncordon'].map((step) => `a/turn/${step}`)
const LAST = ['c/turn/hand-over-leadership', 'c/turn/reboot']
const ALL = [...INSTALLS, ...LEAVES, ...RETURNS, ...LAST]

type Row = {
  title: string
  at: readonly string[]
  /** what somebody does to the node `of` while nobody runs */
  change(fake: Fake, of: string): void
  /** how the same command ends then, and why; 0 without reasons */
  code: number
  reasons?: readonly FailureReason[]
  /** nothing is done to any node before the cure, or nobody is rebooted */
  untouched?: 'wholly' | 'running'
  cure?(fake: Fake, of: string): void
  /** by somebody else, who alone lifts it */
  staysCordoned?: boolean
  /** the command is typed in another checkout then, which has no journals */
  elsewhere?: true
  /** how often the node was installed to and rebooted by us, at the very end */
  times?: readonly [installs: number, reboots: number]
}

const set = (fake: Fake, name: string, change: object): void => {
  Object.assign(fake.nodes.get(name) ?? {}, change)
}
const image = (version: string) => `factory.talos.dev/metal-installer/s:${version}`

const ROWS: readonly Row[] = [
  {
    title: 'the etcd member of a third node is lost',
    at: ALL,
    change: (fake) => set(fake, 'b', { lost: true }),
    code: 1,
    reasons: ['etcd-member-unhealthy', 'unwell-at-end'],
    untouched: 'running',
    cure: (fake) => set(fake, 'b', { lost: false }),
  },
  {
    title: 'an alarm is raised',
    at: ALL,
    change: (fake) => set(fake, 'b', { alarm: true }),
    code: 77,
    reasons: ['etcd-alarm'],
    untouched: 'running',
    cure: (fake) => set(fake, 'b', { alarm: false }),
  },
  { title: 'the node leads etcd now', at: ALL, change: (fake, of) => fake.lead(of), code: 0 },
  {
    title: 'its cordon was lifted, and it is full of pods again',
    at: ALL,
    change: (fake, of) => fake.kubernetes.refill(of),
    code: 0,
  },
  {
    title: 'somebody else cordoned the node',
    at: [...INSTALLS, ...LEAVES.slice(0, 2)],
    change: (fake, of) => fake.kubernetes.cordon(of),
    code: 0,
    staysCordoned: true,
  },
  {
    title: 'its cordon was lifted by hand, and somebody else cordoned the node later',
    at: [...LEAVES.slice(2), ...RETURNS],
    change: (fake, of) => {
      fake.kubernetes.refill(of)
      fake.kubernetes.cordon(of)
    },
    code: 0,
    staysCordoned: true,
  },
  {
    title: 'its cordon was lifted by hand, somebody else cordoned the node later, and another checkout goes on',
    at: LEAVES.slice(2),
    change: (fake, of) => {
      fake.kubernetes.refill(of)
      fake.kubernetes.cordon(of)
    },
    code: 0,
    staysCordoned: true,
    elsewhere: true,
  },
  {
    title: 'somebody who lives has the Lease',
    at: ALL,
    change: (fake) => fake.kubernetes.hold(theirLease),
    code: 75,
    reasons: ['locked'],
    untouched: 'wholly',
    cure: (fake) => fake.kubernetes.hold(undefined),
  },
  {
    title: 'another version was installed there by hand before ours, and waits',
    at: INSTALLS,
    change: (fake, of) => set(fake, of, { waiting: image('v1.13.7') }),
    code: 77,
    reasons: ['other-version-waiting'],
    untouched: 'running',
    cure: (fake, of) => fake.boot(of),
  },
  {
    title: 'another version was installed there by hand over ours, and waits',
    at: LEAVES,
    change: (fake, of) => set(fake, of, { waiting: image('v1.13.7') }),
    code: 77,
    reasons: ['other-version-waiting'],
    untouched: 'running',
    cure: (fake, of) => fake.boot(of),
    times: [2, 1],
  },
  {
    title: 'another version was installed and booted there by hand, before ours was installed',
    at: INSTALLS,
    change: (fake, of) => {
      set(fake, of, { waiting: image('v1.13.7') })
      fake.boot(of)
    },
    code: 0,
  },
  {
    title: 'another version was installed over ours and booted by hand',
    at: LEAVES,
    change: (fake, of) => {
      set(fake, of, { waiting: image('v1.13.7') })
      fake.boot(of)
    },
    code: 1,
    reasons: ['wrong-version'],
    times: [2, 1],
  },
  {
    title: 'a newer version than ours was installed and booted there by hand',
    at: INSTALLS,
    change: (fake, of) => {
      set(fake, of, { waiting: image('v1.13.10') })
      fake.boot(of)
    },
    code: 77,
    reasons: ['downgrade'],
    untouched: 'running',
    // so that our older one is wanted no more
    cure: (fake, of) => set(fake, of, { version: 'v1.13.5' }),
  },
  {
    title: 'somebody booted what we had installed',
    at: LEAVES,
    change: (fake, of) => fake.boot(of),
    code: 0,
    times: [1, 0],
  },
  {
    title: 'its machine has another name in Kubernetes',
    at: [...INSTALLS, ...LEAVES],
    change: (fake, of) => {
      fake.kubernetes.refill(of)
      fake.kubernetes.rename(of, 'renamed')
    },
    code: 77,
    reasons: ['kubernetes-node-unknown'],
    untouched: 'running',
  },
  {
    title: 'its configuration was changed after the installation',
    at: LEAVES,
    change: (fake, of) => set(fake, of, { configuration: 'another' }),
    code: 77,
    reasons: ['configuration-changed'],
    untouched: 'running',
    cure: (fake, of) => set(fake, of, { configuration: 'h' }),
  },
  {
    title: 'its configuration was changed after the installation, and another checkout goes on',
    at: LEAVES,
    change: (fake, of) => set(fake, of, { configuration: 'another' }),
    code: 77,
    reasons: ['configuration-changed'],
    untouched: 'running',
    cure: (fake, of) => set(fake, of, { configuration: 'h' }),
    elsewhere: true,
  },
  {
    title: 'its configuration was changed, and another checkout finds only what an earlier version wrote on its Node',
    at: LEAVES.slice(0, 1),
    change: (fake, of) => {
      set(fake, of, { configuration: 'another' })
      fake.kubernetes.forgetConfiguration(of)
    },
    code: 0,
    elsewhere: true,
  },
  {
    title: 'its machine and the one that leads etcd have changed addresses',
    at: [...INSTALLS, ...LEAVES],
    change: (fake) => fake.move({ a: 'c', c: 'a' }),
    code: 77,
    reasons: ['other-node-than-declared', 'other-node-than-declared'],
    untouched: 'running',
    cure: (fake) => fake.move({}),
  },
  {
    title: 'its address answers as a node that is upgraded already',
    at: [...INSTALLS, ...LEAVES],
    change: (fake) => fake.move({ a: 'b' }),
    code: 77,
    reasons: ['other-node-than-declared'],
    untouched: 'running',
    cure: (fake) => fake.move({}),
  },
]

const installsOf = ({ nodes }: Fake) => [...nodes.values()].map(({ installs }) => installs)
const rebootsOf = ({ nodes }: Fake) => [...nodes.values()].map(({ reboots }) => reboots)

for (const { title, at, change, code, reasons = [], untouched, cure, staysCordoned, elsewhere, times } of ROWS) {
  test(`killed right after an intent, and ${title}: ends ${code}`, async () => {
    for (const path of at) {
      const fake = fakeCluster(NAMES, { etcdMs: 50 })
      const checkout = checkoutOf(fake)
      const of = path.slice(0, 1)
      const isIntent = (record: JournalRecord) => record.type === 'intent' && record.path === path
      assert.is((await checkout.type(isIntent)).exitCode, undefined, path)
      change(fake, of)
      const before = { installs: installsOf(fake), reboots: rebootsOf(fake), cordoned: fake.kubernetes.cordoned() }
      const next = elsewhere ? checkoutOf(fake) : checkout
      const { exitCode, report } = await next.type()
      const said = `${path}: ${JSON.stringify(report?.failures)}`
      assert.is(exitCode, code, said)
      if (code !== 75)
        assert.equal(
          (report?.failures ?? []).map(({ reason }) => reason),
          reasons,
          said,
        )
      if (untouched) assert.equal(rebootsOf(fake), before.reboots, said)
      if (untouched === 'wholly')
        assert.equal([installsOf(fake), fake.kubernetes.cordoned()], [before.installs, before.cordoned], said)
      assert.equal(fake.trouble, [], said)
      cure?.(fake, of)
      const last = await next.type()
      assert.is(last.exitCode, 0, `${path}, cured: ${JSON.stringify(last.report?.failures)}`)
      assert.equal(fake.trouble, [], path)
      assert.equal(fake.kubernetes.cordoned(), staysCordoned ? [of] : [], path)
      assert.equal(fake.kubernetes.marked(), [], path)
      for (const [name, node] of fake.nodes)
        assert.equal(
          [name, node.version, node.installs, node.reboots],
          [name, 'v1.13.9', ...((name === of && times) || [1, 1])],
          path,
        )
      for (const used of new Set([checkout, next])) used.remove()
    }
  })
}

test('killed between the last look and the intent of the reboot, and its pods came back: drains again', async () => {
  const fake = fakeCluster(NAMES, { etcdMs: 50 })
  const checkout = checkoutOf(fake)
  let looks = 0
  const isLastLook = ({ type, ...record }: JournalRecord) =>
    type === 'outcome' && 'path' in record && record.path === 'a/turn/check-etcd' && ++looks === 2
  assert.is((await checkout.type(isLastLook)).exitCode, undefined)
  fake.kubernetes.refill('a')
  const { exitCode } = await checkout.type()
  assert.is(exitCode, 0)
  assert.equal(fake.trouble, [])
  checkout.remove()
})

test.run()
