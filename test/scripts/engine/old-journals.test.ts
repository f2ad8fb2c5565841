/** Journals that version 91d99fb wrote, as they lay when its process had ended or died; fixtures/journals/remembered.json is what that version remembered of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readJournal } from '../../../scripts/engine/journal.ts'
import { recollect } from '../../../workflows/plan/memory.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf, type Fake } from '../../support/fake-command.ts'

const folder = join(import.meta.dirname, '../../fixtures/journals')
const remembered = JSON.parse(readFileSync(join(folder, 'remembered.json'), 'utf8')) as Record<string, object>
const image = 'factory.talos.dev/metal-installer/s:v1.13.9'

for (const name of Object.keys(remembered))
  test(`${name} still gives its memory`, () => {
    const { sources, tookNoneDown, ...memory } = recollect(
      [{ run: name, records: readJournal(join(folder, name)).records }],
      'ca',
    )
    assert.equal({ ...memory, sources: [...sources], tookNoneDown: [...tookNoneDown] }, remembered[name])
  })

type Row = {
  file: string
  /** how the cluster stands when the command is typed again */
  stands: (fake: Fake, run: string) => void
  code: number
  reasons?: string[]
  said?: RegExp
  /** installations by the command of today */
  installs: number
}

const set = (fake: Fake, name: string, change: object) => void Object.assign(fake.nodes.get(name) ?? {}, change)
const closed = (state: string) =>
  new RegExp(`^abandoned \\S+, because the declaration or the flags changed since: ${state}$`)

const rows: Row[] = [
  {
    file: 'killed-in-an-installation.ndjson',
    // whether it ended, nobody can tell
    stands: (fake) => set(fake, 'b', { wrapped: true }),
    code: 77,
    reasons: ['install-unknown'],
    said: closed('begun and not seen to end: b install'),
    installs: 0,
  },
  {
    file: 'killed-in-a-drain.ndjson',
    stands(fake, run) {
      set(fake, 'b', { version: 'v1.13.9' })
      fake.boot('b')
      for (const name of ['a', 'c']) set(fake, name, { waiting: image })
      fake.kubernetes.cordon('a', { run, at: '2026-11-30T14:00:00Z' })
    },
    code: 0,
    said: closed('begun and not seen to end: a drain'),
    installs: 0,
  },
  {
    file: 'killed-in-a-reboot.ndjson',
    stands(fake, run) {
      set(fake, 'b', { version: 'v1.13.9' })
      for (const name of ['a', 'c']) set(fake, name, { waiting: image })
      fake.boot('b')
      fake.boot('a')
      fake.kubernetes.cordon('a', { run, at: '2026-11-30T14:00:00Z' })
    },
    code: 0,
    said: closed('begun and not seen to end: a reboot'),
    installs: 0,
  },
  {
    file: 'installer-refused.ndjson',
    stands: () => {},
    code: 77,
    reasons: ['installer-refused-before'],
    installs: 0,
  },
  {
    file: 'rolled-back.ndjson',
    stands: (fake) => fake.boot('b'),
    code: 77,
    reasons: ['rolled-back-before'],
    installs: 0,
  },
  { file: 'finished.ndjson', stands: () => {}, code: 0, installs: 3 },
]

for (const { file, stands, code, reasons = [], said, installs } of rows)
  test(`${file}: the command goes on from what it tells`, async () => {
    const fake = fakeCluster(['a', 'b', 'c'])
    const checkout = checkoutOf(fake)
    const journal = readFileSync(join(folder, file), 'utf8')
    const { run } = JSON.parse(journal.split('\n')[0] ?? '') as { run: string }
    checkout.leave(run, journal)
    stands(fake, run)
    const { exitCode, report } = await checkout.type()
    assert.is(exitCode, code, JSON.stringify(report?.failures))
    assert.equal([...new Set(report?.failures.map(({ reason }) => reason))], reasons)
    if (said)
      assert.ok(
        report?.notices.some(({ text }) => said.test(text)),
        JSON.stringify(report?.notices),
      )
    assert.is(
      [...fake.nodes.values()].reduce((sum, node) => sum + node.installs, 0),
      installs,
    )
    assert.equal([fake.trouble, fake.kubernetes.cordoned()], [[], []])
    checkout.remove()
  })

test.run()
