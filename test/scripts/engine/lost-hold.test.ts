import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { Talos } from '../../../scripts/cluster/talos.ts'
import { type JournalRecord, openJournal, readJournal } from '../../../scripts/engine/journal.ts'
import { joinClusterLease } from '../../../scripts/engine/lease.ts'
import { thisHolder } from '../../../scripts/engine/process-identity.ts'
import type { StepName } from '../../../workflows/model/step-name.ts'
import { driveFake } from '../../support/drive-fake.ts'
import { eventually } from '../../support/eventually.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'
import { somebodyElse, theirLease } from '../../support/somebody-else.ts'

/** `b` goes first, and its own steps are what goes on when the lock is lost. */
const NAMES = ['a', 'b', 'c']

const takeOver = (runs: string): void => {
  for (const name of readdirSync(runs).filter((file) => file.startsWith('lock.')))
    writeFileSync(join(runs, `lock.${Number(name.slice(5)) + 1}`), JSON.stringify(somebodyElse))
}

type Row = {
  step: StepName
  /** its command is ended; else it goes on to its own end, a while after the lock was lost */
  cutOff: boolean
  /** the new version waited before this run began */
  waited?: true
  code: number
}

const ROWS: readonly Row[] = [
  { step: 'pull-image', cutOff: true, code: 75 },
  { step: 'drain', cutOff: true, waited: true, code: 75 },
  { step: 'drain', cutOff: true, code: 1 },
  { step: 'install', cutOff: false, code: 1 },
  { step: 'reboot', cutOff: false, waited: true, code: 1 },
]

for (const { step, cutOff, waited, code } of ROWS)
  test(`lost in the middle of ${step}${waited ? ' of what waited before' : ''}: ${cutOff ? 'cut off' : 'let go on'}, nothing more is begun, ${code}`, async () => {
    const fake = fakeCluster(NAMES)
    const checkout = checkoutOf(fake)
    if (waited) for (const node of fake.nodes.values()) node.waiting = 'factory.talos.dev/metal-installer/s:v1.13.9'
    let told: AbortSignal | undefined
    /** Somebody takes over in the middle of the call, which ends when it is cut off, or later by itself. */
    const loseDuring = async <T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
      if (told) return call()
      told = signal ?? new AbortController().signal
      takeOver(checkout.runs)
      const since = performance.now()
      // whoever takes a look at the lock does so every five seconds
      await eventually(
        () => signal?.aborted || performance.now() - since > (cutOff ? 60_000 : 7_000) || undefined,
        () => 'neither cut off nor over',
      )
      return call()
    }
    const { connect } = fake
    const { connect: connectKubernetes } = fake.kubernetes
    fake.connect = (isDead): Talos => {
      const talos = connect(isDead)
      const { pull, install, reboot } = talos
      return {
        ...talos,
        ...(step === 'pull-image' && { pull: (...call) => loseDuring(() => pull(...call), call[2].signal) }),
        ...(step === 'install' && { install: (...call) => loseDuring(() => install(...call), call[2].signal) }),
        ...(step === 'reboot' && { reboot: (...call) => loseDuring(() => reboot(...call), call[1].signal) }),
      }
    }
    fake.kubernetes.connect = (isDead): Kubernetes => {
      const kubernetes = connectKubernetes(isDead)
      const { drain } = kubernetes
      return {
        ...kubernetes,
        ...(step === 'drain' && { drain: (...call) => loseDuring(() => drain(...call), call[2].signal) }),
      }
    }
    const { exitCode, report, journal } = await checkout.type()
    assert.is(told?.aborted, cutOff)
    assert.is(exitCode, code, JSON.stringify(report?.failures))
    assert.equal(
      report?.failures.map(({ reason }) => reason),
      ['lock-lost'],
    )
    assert.is(report?.verdicts.b?.verdict, step === 'pull-image' ? 'unchanged' : 'interrupted')
    const last = journal.findLast((record) => record.type === 'intent')
    assert.is(last?.type === 'intent' && last.step, step, 'nothing was begun after it')
    assert.not.ok(journal.some((record) => record.type === 'outcome' && record.path.endsWith(`/${step}`)))
    checkout.remove()
  })

/** The steps that nothing cuts off, and the call that is the last look before what they ask. */
const LOOKS = [
  { step: 'install', look: 'inspect' },
  { step: 'reboot', look: 'observeEtcd' },
] as const

for (const { step, look } of LOOKS)
  for (const by of ['a lock that is lost', 'Ctrl-C'] as const)
    test(`${by} during the last look inside ${step} keeps back what it was about to ask`, async () => {
      const fake = fakeCluster(NAMES)
      const checkout = checkoutOf(fake)
      if (step === 'reboot')
        for (const node of fake.nodes.values()) node.waiting = 'factory.talos.dev/metal-installer/s:v1.13.9'
      let journal = ''
      const hasBegun = () => {
        journal = checkout.journals()[0] ?? journal
        const records = journal === '' ? [] : readJournal(journal).records
        const begins = (record: JournalRecord) =>
          step === 'install' ? record.type === 'installing' : record.type === 'intent' && record.step === step
        return records.some(begins)
      }
      let isOver = false
      const { connect } = fake
      fake.connect = (isDead): Talos => {
        const talos = connect(isDead)
        const looked = async <T>(seen: Promise<T>): Promise<T> => {
          const told = await seen
          if (isOver || !hasBegun()) return told
          isOver = true
          if (by === 'Ctrl-C') process.emit('SIGINT')
          else takeOver(checkout.runs)
          return told
        }
        return {
          ...talos,
          ...(look === 'inspect' && { inspect: (...asked) => looked(talos.inspect(...asked)) }),
          ...(look === 'observeEtcd' && { observeEtcd: (...asked) => looked(talos.observeEtcd(...asked)) }),
        }
      }
      const typed = await checkout.type()
      assert.ok(isOver, 'it was never about to ask')
      assert.is(typed.exitCode, by === 'Ctrl-C' ? 130 : 75, JSON.stringify(typed.report?.failures))
      assert.equal(
        typed.report?.failures.map(({ reason }) => reason),
        by === 'Ctrl-C' ? [] : ['lock-lost'],
      )
      // it was drained before it was to be rebooted
      assert.is(typed.report?.verdicts.b?.verdict, step === 'install' ? 'unchanged' : 'interrupted')
      for (const [name, { installs, reboots }] of fake.nodes) assert.equal([name, installs, reboots], [name, 0, 0])
      assert.not.ok(typed.journal.some((record) => record.type === 'outcome' && record.path.endsWith(`/${step}`)))
      checkout.remove()
    })

test('a Lease that somebody else takes is seen at its renewal, cuts the drain off, and stays theirs', async () => {
  const fake = fakeCluster(NAMES)
  const folder = mkdtempSync(join(tmpdir(), 'lease-'))
  const lease = await joinClusterLease({
    kubernetes: fake.kubernetes.connect(() => false),
    holder: thisHolder('upgrade of cluster-7'),
    durationMs: 60_000,
    renewMs: 5,
  })
  let told: AbortSignal | undefined
  const journal = openJournal(join(folder, 'journal.ndjson'))
  const driven = await driveFake(fake, folder, journal, {
    fence: lease.lost,
    confirm: lease.confirm,
    loses: lease.loses,
    kubernetes: {
      drain(_name, _how, { signal }) {
        fake.kubernetes.hold(theirLease)
        told = signal
        return eventually(
          () => (signal?.aborted ? { ok: true as const, value: undefined } : undefined),
          () => 'the drain goes on',
        )
      },
    },
  })
  journal.close()
  await lease.release()
  rmSync(folder, { recursive: true })
  assert.ok(told?.aborted, 'the drain was cut off')
  assert.is(driven.ended === 'broken' && driven.failure.reason, 'lock-lost')
  const last = journal.records.at(-1)
  assert.is(last?.type === 'intent' && last.step, 'drain', 'nothing was begun after it')
  const { value: now } = (await fake.kubernetes.connect(() => false).readLease({ timeoutMs: 1_000 })) as {
    value?: typeof theirLease
  }
  assert.is(now?.spec.holderIdentity, theirLease.spec.holderIdentity)
})

test.run()
