/** A verb that finds a run of its own or of another verb unfinished: it carries it on, closes it in words, or refuses. */
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type JournalRecord, readJournal } from '../../../scripts/engine/journal.ts'
import type { FailureReason } from '../../../workflows/model/failure.ts'
import type { VerbName } from '../../../workflows/model/verb-name.ts'
import type { Verdict } from '../../../workflows/model/verdict.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { type Checkout, checkoutOf, type Fake, type Typed } from '../../support/fake-command.ts'
import { inFull } from '../../support/in-full.ts'
import { verbs } from '../../support/verbs.ts'

/** `b` goes first, `a` follows, and `c` leads etcd and goes last. */
const NAMES = ['a', 'b', 'c']

type Verdicts = Readonly<Record<string, Verdict>>

const all = (verdict: Verdict): Verdicts => ({ a: verdict, b: verdict, c: verdict })
const rebooted = all('rebooted')
const upgraded = all('upgraded')

type Row = {
  found: VerbName
  by: VerbName
  /** what the run that is found was killed right after it had written down that it means to do this */
  at: readonly string[]
  /** what somebody does meanwhile */
  change?: (fake: Fake) => void
  /** the command is typed in another checkout then, which has no journals */
  elsewhere?: true
  code: number
  verdicts: Verdicts
  reasons?: readonly FailureReason[]
}

const wrapped = (fake: Fake): void => {
  for (const node of fake.nodes.values()) node.wrapped = true
}

const BEFORE_INSTALL = ['snapshot-etcd', 'b/pull/pull-image', 'b/turn/install', 'a/install/install']
const OF_REBOOT = ['snapshot-etcd', 'cordon', 'drain', 'reboot', 'rejoin', 'verify', 'settle', 'uncordon'].map(
  (step) => (step === 'snapshot-etcd' ? step : `b/turn/${step}`),
)

const rows: readonly Row[] = [
  // nothing waits, or all that waited has been booted
  {
    found: 'upgrade',
    by: 'reboot',
    at: [...BEFORE_INSTALL, 'b/turn/rejoin', 'b/turn/settle', 'b/turn/uncordon', 'look-back'],
    code: 0,
    verdicts: rebooted,
  },
  // a restart would boot what waits, and that is what an upgrade is for
  {
    found: 'upgrade',
    by: 'reboot',
    at: ['b/turn/cordon', 'b/turn/drain', 'b/turn/reboot'],
    code: 77,
    verdicts: { a: 'refused', b: 'installed-not-rebooted', c: 'refused' },
    reasons: ['other-version-waiting'],
  },
  {
    found: 'upgrade',
    by: 'reboot',
    at: ['a/turn/rejoin', 'c/turn/reboot'],
    code: 77,
    verdicts: { a: 'upgraded', b: 'upgraded', c: 'installed-not-rebooted' },
    reasons: ['other-version-waiting'],
  },
  // no log tells of it any more: the journal does, and the Node does to another checkout
  {
    found: 'upgrade',
    by: 'reboot',
    at: ['b/turn/drain', 'b/turn/reboot'],
    change: wrapped,
    code: 77,
    verdicts: { a: 'refused', b: 'installed-not-rebooted', c: 'refused' },
    reasons: ['install-unknown'],
  },
  {
    found: 'upgrade',
    by: 'reboot',
    at: ['b/turn/drain', 'b/turn/reboot'],
    change: wrapped,
    elsewhere: true,
    code: 77,
    verdicts: all('refused'),
    reasons: ['install-unknown'],
  },
  { found: 'reboot', by: 'upgrade', at: [...OF_REBOOT, 'c/turn/reboot', 'look-back'], code: 0, verdicts: upgraded },
  { found: 'reboot', by: 'reboot', at: [...OF_REBOOT, 'c/turn/reboot', 'look-back'], code: 0, verdicts: rebooted },
]

for (const { found, by, at, change, elsewhere, code, verdicts, reasons = [] } of rows) {
  const title = `${by} finds ${found === by ? 'one of its own' : `an ${found}`}${elsewhere ? ' of another checkout' : ''}`
  const killedBefore = inFull ? at : at.slice(-2)
  test(`${title}, killed before ${killedBefore.join(', ')}: ends ${code}`, async () => {
    for (const path of killedBefore) {
      const fake = fakeCluster(NAMES, { etcdMs: 50 })
      const checkout = checkoutOf(fake)
      const isIntent = (record: JournalRecord) => record.type === 'intent' && record.path === path
      assert.is((await checkout.type(isIntent, { verb: found })).exitCode, undefined, path)
      change?.(fake)
      const before = rebootsOf(fake)
      const next = elsewhere ? checkoutOf(fake) : checkout
      const typed = await next.type(undefined, { verb: by })
      const said = `${path}: ${JSON.stringify(typed.report)}`
      assert.is(typed.exitCode, code, said)
      assert.equal(new Set(typed.report?.failures.map(({ reason }) => reason)), new Set(reasons), said)
      assert.equal(verdictsOf(typed), verdicts, said)
      assert.is(typed.report?.resumed, found === by, said)
      if (found !== by && !elsewhere) assertClosed(checkout, typed, { found, by })
      if (code !== 0) assert.equal(rebootsOf(fake), before, said)
      assert.equal([fake.kubernetes.cordoned(), fake.kubernetes.marked(), fake.trouble], [[], [], []], said)
      if (change) for (const name of NAMES) fake.boot(name)
      const last = await next.type()
      assert.is(last.exitCode, 0, `${path}: ${JSON.stringify(last.report?.failures)}`)
      for (const [name, { version, installs }] of fake.nodes)
        assert.equal([name, version, installs], [name, 'v1.13.9', 1], path)
      assert.equal(fake.trouble, [], path)
      for (const used of new Set([checkout, next])) used.remove()
    }
  })
}

test('a restart that is carried on boots each node once, wherever it was killed', async () => {
  const begun = (inFull ? OF_REBOOT : ['b/turn/reboot', 'b/turn/rejoin']).map((path) => ({ type: 'intent', path }))
  // with the last one all is done, and only its end is not written
  for (const { type, path } of [...begun, { type: 'outcome', path: 'look-back' }]) {
    const fake = fakeCluster(NAMES, { etcdMs: 50 })
    const checkout = checkoutOf(fake)
    await checkout.type((record) => record.type === type && 'path' in record && record.path === path, {
      verb: 'reboot',
    })
    const { exitCode, report } = await checkout.type(undefined, { verb: 'reboot' })
    assert.equal([exitCode, report?.resumed], [0, true], path)
    assert.equal(rebootsOf(fake), [1, 1, 1], path)
    checkout.remove()
  }
})

for (const { days, resumed, reboots } of [
  { days: 0, resumed: true, reboots: [1, 1, 1] },
  { days: 2, resumed: false, reboots: [2, 1, 1] },
])
  test(`a restart that was cut off ${days} days ago is ${resumed ? 'carried on' : 'closed, and all nodes boot once more'}`, async () => {
    const fake = fakeCluster(NAMES, { etcdMs: 50 })
    const checkout = checkoutOf(fake)
    await checkout.type((record) => record.type === 'intent' && record.path === 'a/turn/drain', { verb: 'reboot' })
    assert.equal(rebootsOf(fake), [0, 1, 0])
    for (const journal of checkout.journals()) writeFileSync(journal, aged(readFileSync(journal, 'utf8'), days))
    const typed = await checkout.type(undefined, { verb: 'reboot' })
    assert.equal([typed.exitCode, typed.report?.resumed, verdictsOf(typed)], [0, resumed, rebooted])
    assert.equal(rebootsOf(fake).toSorted(), reboots.toSorted())
    assert.equal([fake.kubernetes.cordoned(), fake.trouble], [[], []])
    const closed = typed.report?.notices.some(({ text }) => text.includes('it was left 48 hours ago'))
    assert.is(closed, !resumed)
    checkout.remove()
  })

const aged = (journal: string, days: number): string =>
  journal.replace(/"at":"([^"]+)"/g, (_, at) => `"at":"${new Date(Date.parse(at) - days * 86_400_000).toISOString()}"`)

for (const verb of verbs)
  test(`--abandon closes an unfinished ${verb}, whichever command it is given to`, async () => {
    for (const by of verbs) {
      const fake = fakeCluster(NAMES)
      const checkout = checkoutOf(fake)
      await checkout.type((record) => record.type === 'intent' && record.path === 'b/turn/drain', { verb })
      assert.equal(fake.kubernetes.cordoned(), ['b'])
      const before = rebootsOf(fake)
      assert.is((await checkout.type(undefined, { verb: by, abandon: true })).exitCode, 0)
      assert.equal(fake.kubernetes.cordoned(), [])
      assert.equal(rebootsOf(fake), before)
      assert.is(stateOf(checkout, verb), 'begun and not seen to end: b drain')
      assert.is((await checkout.type(undefined, { verb: 'upgrade' })).report?.resumed, false)
      checkout.remove()
    }
  })

const rebootsOf = ({ nodes }: Fake) => [...nodes.values()].map(({ reboots }) => reboots)

/** Nodes of which nothing is said are as a rule that said no left them. */
const verdictsOf = ({ report, exitCode }: Typed): Verdicts => ({
  ...(exitCode === 77 ? all('refused') : {}),
  ...Object.fromEntries(Object.entries(report?.verdicts ?? {}).map(([name, { verdict }]) => [name, verdict])),
})

function stateOf(checkout: Checkout, of: VerbName): string | undefined {
  const journal = checkout.journals().find((file) => file.includes(`-${of}-`))
  const end = readJournal(journal ?? '').records.at(-1)
  return end?.type === 'end' && end.how === 'abandoned' ? end.state : undefined
}

/** The journal of the one that was found ends with how it stood, and the run that found it says so. */
function assertClosed(checkout: Checkout, { report }: Typed, { found, by }: Pick<Row, 'found' | 'by'>): void {
  const state = stateOf(checkout, found)
  assert.match(state ?? '', /^begun and not seen to end: /)
  const [notice] = report?.notices.filter(({ text }) => text.startsWith('abandoned ')) ?? []
  assert.match(notice?.text ?? '', `because this run is another one's: it is of ${by}, and not of ${found}: ${state}`)
}

test.run()
