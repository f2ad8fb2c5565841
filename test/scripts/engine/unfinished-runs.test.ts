/** A run that finds one of another verb, of another version, or one that it can not read; and --abandon. */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Call } from '../../../scripts/cli/command.ts'
import type { Kubernetes } from '../../../scripts/cluster/kubernetes.ts'
import { type JournalRecord, readJournal } from '../../../scripts/engine/journal.ts'
import { rehearseAbandon } from '../../../scripts/engine/rehearse-abandon.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { type Checkout, checkoutOf, type Typed } from '../../support/fake-command.ts'

const inDrainOfA = (record: JournalRecord) => record.type === 'intent' && record.step === 'drain' && record.node === 'a'

const RUN = '2026-11-30T14-00-00Z-reset-0abc'

/** A journal of somebody's, with an intent of a step that nobody knows. */
const journalOf = (command: string, plan: unknown): string =>
  [
    {
      ...{ type: 'run', v: 1, run: RUN, product: '9.9.9', command, cluster: 'cluster-7', at: '', inputs: 'x', plan },
      ...{ again: 'node --import tsx workflows/reset.ts --cluster 7', identity: 'ca' },
    },
    { type: 'intent', path: 'a/dance/jump', step: 'jump', node: 'a', at: '', processFile: '' },
    { type: 'outcome', path: 'b/dance/jump', at: '', tookMs: 1, ok: true, output: [null, 7, { node: 'b' }] },
  ]
    .map((record) => `${JSON.stringify(record)}\n`)
    .join('')

const says = ({ report }: Typed) => report?.notices.map(({ text }) => text).filter((text) => /abandon/.test(text))
const endOf = (checkout: Checkout) => readJournal(checkout.journals()[0] ?? '').records.at(-1)
const wiping = { v: 2, verb: 'reset', nodes: [{ node: 'a', work: { kind: 'wipe', scope: 'all', disks: [] } }] }
const ofReset =
  "abandoned 2026-11-30T14-00-00Z-reset-0abc, because this run is another one's: it is of upgrade, and not of reset: begun and not seen to end: a jump"

const unreadable: [what: string, command: string, plan: unknown][] = [
  ['no plan', 'reset', undefined],
  ['a plan without nodes', 'reset', { v: 2, verb: 'reset' }],
  ['a plan of another form', 'reset', { v: 99, verb: 'reset', nodes: { a: {} } }],
  [
    'nodes that are none',
    'reset',
    { v: 2, verb: 'reset', nodes: [null, 7, {}, { node: 'a' }, { node: 'b', work: null }] },
  ],
  ['an upgrade of another form', 'upgrade', { v: 99, verb: 'upgrade', nodes: [{ node: 'a', work: { kind: 'melt' } }] }],
  ['a plan that is a word', 'reset', 'nothing'],
]

for (const [what, command, plan] of unreadable)
  test(`${what} breaks no later run`, async () => {
    const fake = fakeCluster(['a', 'b'])
    Object.assign(fake.cluster.operations.etcd, { acceptOutage: true })
    const checkout = checkoutOf(fake)
    checkout.leave(RUN, journalOf(command, plan))
    const typed = await checkout.type()
    assert.is(typed.exitCode, 0, JSON.stringify(typed.report?.failures))
    assert.is(says(typed)?.length, 1)
    if (command === 'reset') assert.equal(says(typed), [ofReset])
    assert.equal(fake.trouble, [])
    checkout.remove()
  })

test('a run that wipes is refused until it is abandoned, and nothing is done meanwhile', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  checkout.leave(RUN, journalOf('reset', wiping))
  for (let times = 0; times < 2; times++) {
    const { exitCode, report } = await checkout.type()
    assert.is(exitCode, 77)
    assert.equal(report, undefined, 'it never became a run')
    assert.equal(endOf(checkout)?.type, 'outcome', 'its journal is as it was')
  }
  const abandoned = await checkout.type(undefined, { abandon: true })
  assert.is(abandoned.exitCode, 0)
  assert.equal(endOf(checkout), {
    ...{ type: 'end', how: 'abandoned', state: 'begun and not seen to end: a jump' },
    at: (endOf(checkout) as { at: string }).at,
  })
  assert.ok([...fake.nodes.values()].every(({ installs, reboots }) => installs + reboots === 0))
  assert.is((await checkout.type()).exitCode, 0)
  checkout.remove()
})

test('--abandon lifts what a dead run cordoned, does nothing else, and keeps what it began in mind', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  await checkout.type(inDrainOfA)
  assert.equal(fake.kubernetes.cordoned(), ['a'])
  const before = [...fake.nodes.values()].map(({ installs, reboots }) => [installs, reboots])
  assert.is((await checkout.type(undefined, { abandon: true })).exitCode, 0)
  assert.equal(fake.kubernetes.cordoned(), [])
  assert.equal(
    [...fake.nodes.values()].map(({ installs, reboots }) => [installs, reboots]),
    before,
  )
  const end = endOf(checkout)
  assert.is(end?.type === 'end' && end.state, 'begun and not seen to end: a drain')
  // there is none any more
  assert.is((await checkout.type(undefined, { abandon: true })).exitCode, 0)
  assert.is((await checkout.type()).exitCode, 0)
  for (const [name, { installs, reboots }] of fake.nodes) assert.equal([name, installs, reboots], [name, 1, 1])
  assert.equal(fake.trouble, [])
  checkout.remove()
})

const leaving: [what: string, answers: Partial<Kubernetes>, code: number][] = [
  [
    'of a cordon that it may not lift',
    { uncordon: async () => ({ ok: false, failure: failure('kubernetes-forbidden', { detail: 'no' }) }) },
    1,
  ],
  [
    'where Kubernetes does not say what is cordoned, so that something may be',
    { nodes: async () => ({ ok: false, failure: failure('kubernetes-unreachable', { detail: 'refused' }) }) },
    1,
  ],
  [
    'told to stop while it tries to lift one',
    {
      uncordon: async () => {
        process.emit('SIGINT')
        return { ok: true, value: 'conflict' }
      },
    },
    130,
  ],
]

for (const [what, answers, code] of leaving)
  test(`--abandon closes the run and does not call it done ${what}`, async () => {
    const fake = fakeCluster(['a', 'b', 'c'])
    const checkout = checkoutOf(fake)
    await checkout.type(inDrainOfA)
    const { connect } = fake.kubernetes
    fake.kubernetes.connect = (isDead) => ({ ...connect(isDead), ...answers })
    assert.is((await checkout.type(undefined, { abandon: true })).exitCode, code)
    assert.is(endOf(checkout)?.type, 'end')
    assert.equal(fake.kubernetes.cordoned(), ['a'])
    checkout.remove()
  })

test('--abandon with --dry-run says what would be closed, and closes nothing', async () => {
  const fake = fakeCluster(['a', 'b'])
  const checkout = checkoutOf(fake)
  const would = (output: string): [number, string] => {
    const { write } = process.stdout
    let said = ''
    process.stdout.write = ((text: string) => {
      said += text
      return true
    }) as typeof write
    try {
      const layout = { folder: join(checkout.runs, '..') }
      return [rehearseAbandon({ common: { output }, layout } as unknown as Call), said]
    } finally {
      process.stdout.write = write
    }
  }
  assert.equal(would('plain'), [0, 'no run is unfinished, so there is none to abandon\n'])
  checkout.leave(RUN, journalOf('reset', wiping))
  const sentence = `${RUN} would be closed: begun and not seen to end: a jump`
  assert.equal(would('plain'), [2, `${sentence}\n`])
  assert.match(would('json')[1], `"type":"notice","text":"${sentence}"`)
  assert.equal(would('quiet'), [2, ''])
  assert.is(endOf(checkout)?.type, 'outcome', 'its journal is as it was')
  checkout.remove()
})

test('a run of another cluster of that name is closed in words, and nothing of it is said of these nodes', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  for (const node of fake.nodes.values()) node.alarm = true
  const checkout = checkoutOf(fake)
  const ofOthers = journalOf('upgrade', undefined)
    .replace('"identity":"ca"', '"identity":"another"')
    .replace('"step":"jump"', '"step":"install"')
  checkout.leave(RUN, ofOthers)
  const typed = await checkout.type()
  assert.is(typed.exitCode, 77)
  assert.match(
    says(typed)?.join() ?? '',
    `abandoned ${RUN}, because it is of another cluster of this name, which had another CA`,
  )
  assert.equal(
    Object.values(typed.report?.verdicts ?? {}).filter(({ verdict }) => verdict !== 'refused'),
    [],
  )
  checkout.remove()
})

test('--abandon waits for nobody who holds the cluster, and closes nothing of theirs', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  await checkout.type(inDrainOfA)
  const { theirLease } = await import('../../support/somebody-else.ts')
  fake.kubernetes.hold(theirLease)
  assert.is((await checkout.type(undefined, { abandon: true })).exitCode, 75)
  assert.is(endOf(checkout)?.type, 'intent')
  assert.equal(fake.kubernetes.cordoned(), ['a'])
  checkout.remove()
})

test.run()
