import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { checkoutOf } from '../../support/fake-command.ts'

const NAMES = ['a', 'b', 'c']

/** What the records of a killed run are when another version wrote them, and what is said when they are closed. */
const ROWS: { title: string; edit(record: JournalRecord): JournalRecord; says: RegExp }[] = [
  {
    title: 'of another version of the product',
    edit: (record) => (record.type === 'run' ? { ...record, product: '0.0.1', inputs: 'of then' } : record),
    says: /^abandoned \S+, because another version of this program began it: begun and not seen to end: a check-etcd$/,
  },
  {
    title: 'whose steps lead nowhere',
    edit: (record) =>
      'path' in record ? { ...record, path: record.path.replace(/pull-image$/, 'fetch-image') } : record,
    says: /^abandoned \S+, because its journal can not be followed: /,
  },
  {
    title: 'whose plan has another form',
    edit: (record) => (record.type === 'run' ? { ...record, plan: { v: 2, waves: [] } } : record),
    says: /^abandoned \S+, because its journal can not be followed: /,
  },
  {
    title: 'of another wish',
    edit: (record) => (record.type === 'run' ? { ...record, inputs: 'of then' } : record),
    says: /^abandoned \S+, because the declaration or the flags changed since: /,
  },
]

for (const { title, edit, says } of ROWS)
  for (const wrapped of [false, true])
    test(`a journal ${title} is closed with a sentence, and its installations are remembered${wrapped ? ' where no log tells of them' : ''}`, async () => {
      const fake = fakeCluster(NAMES)
      const checkout = checkoutOf(fake)
      await checkout.type((record) => record.type === 'intent' && record.path === 'a/turn/check-etcd')
      const [file = ''] = checkout.journals()
      const records = readFileSync(file, 'utf8').trim().split('\n')
      const edited = records.map((line) => JSON.stringify(edit(JSON.parse(line) as JournalRecord)))
      writeFileSync(file, `${edited.join('\n')}\n`)
      const node = fake.nodes.get('a')
      assert.ok(node)
      node.wrapped = wrapped

      const next = await checkout.type()
      const notices = next.report?.notices.map(({ text }) => text) ?? []
      assert.ok(
        notices.some((text) => says.test(text)),
        notices.join('\n'),
      )
      assert.is(next.report?.resumed, false)
      const closed = JSON.parse(readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '') as JournalRecord
      assert.is(closed.type === 'end' && closed.how, 'abandoned')
      if (wrapped) {
        assert.is(next.exitCode, 77, notices.join('\n'))
        assert.equal(
          next.report?.failures.map((why) => [why.node, why.reason]),
          [['a', 'install-unknown']],
        )
        // what the refusal says to do
        fake.boot('a')
        assert.is((await checkout.type()).exitCode, 0)
      } else assert.is(next.exitCode, 0, JSON.stringify(next.report?.failures))
      assert.equal(fake.trouble, [])
      assert.equal(fake.kubernetes.cordoned(), [])
      for (const [name, { version, installs }] of fake.nodes)
        assert.equal([name, version, installs], [name, 'v1.13.9', 1])
      checkout.remove()
    })

test('a run is carried on where operations.yaml was changed only in what is read anew as it goes', async () => {
  const { deadlines, upgrade } = fakeCluster(NAMES).cluster.operations
  const rows = [
    [{ deadlines: { ...deadlines, rebootMs: 6_000 } }, true],
    [{ upgrade: { ...upgrade, soakMs: 1 } }, true],
    [{ upgrade: { ...upgrade, maxUnavailable: 2 } }, false],
  ] as const
  for (const [changed, resumed] of rows) {
    const fake = fakeCluster(NAMES)
    const checkout = checkoutOf(fake)
    await checkout.type((record) => record.type === 'intent' && record.path === 'a/turn/check-etcd')
    Object.assign(fake.cluster.operations, changed)
    const next = await checkout.type()
    assert.is(next.exitCode, 0)
    assert.is(next.report?.resumed, resumed, JSON.stringify(changed))
    checkout.remove()
  }
})

test.run()
