/** The last word of a run comes once, and after all that there is to tell. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kubernetes } from '../../../scripts/cluster/kubernetes.ts'
import type { JournalRecord } from '../../../scripts/engine/journal.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { fakeCluster } from '../../support/fake-cluster.ts'
import { type Checkout, checkoutOf, type Fake, type Typed } from '../../support/fake-command.ts'

type Row = {
  title: string
  /** what goes wrong at the end of the run */
  wrong: (fake: Fake, checkout: Checkout) => ((record: JournalRecord) => boolean) | undefined
  told: RegExp
  exitCode: number
}

const rows: Row[] = [
  {
    title: 'a Lease that can not be given back',
    wrong(fake) {
      const { connect } = fake.kubernetes
      const refused = { ok: false as const, failure: failure('kubernetes-unreachable', { detail: 'refused' }) }
      fake.kubernetes.connect = (isDead): Kubernetes => ({ ...connect(isDead), deleteLease: async () => refused })
      return undefined
    },
    told: /the Lease of the cluster could not be given back, .*: refused/,
    exitCode: 0,
  },
  {
    title: 'a report that can not be written',
    wrong: (_, checkout) => (record) => {
      if (record.type === 'run') mkdirSync(join(dirname(checkout.journals()[0] ?? ''), 'report.json'))
      return false
    },
    told: /there is no report: .*report\.json/,
    exitCode: 0,
  },
]

const noticesOf = ({ events }: Typed): string[] =>
  events.flatMap((event) => (event.type === 'notice' ? [event.text] : []))

for (const { title, wrong, told, exitCode } of rows)
  test(`${title} is told before the last word, which comes once`, async () => {
    const fake = fakeCluster(['a', 'b', 'c'])
    const checkout = checkoutOf(fake)
    const typed = await checkout.type(wrong(fake, checkout), { output: 'json' })
    assert.is(typed.exitCode, exitCode)
    assert.match(noticesOf(typed).join(), told)
    const types = typed.events.map(({ type }) => type)
    assert.is(types.indexOf('run.finished'), types.length - 1, types.join())
    checkout.remove()
  })

test('what is thrown before anything was begun is told with the code of its reason, and no node is called begun', async () => {
  const fake = fakeCluster(['a', 'b', 'c'])
  const checkout = checkoutOf(fake)
  const { connect } = fake
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write', path: '/x' })
  fake.connect = (isDead) => ({
    ...connect(isDead),
    observeNodes: async () => {
      throw full
    },
  })
  const typed = await checkout.type(undefined, { output: 'json' })
  const last = typed.events.at(-1)
  assert.ok(last?.type === 'run.finished')
  assert.equal(
    last.failures.map(({ reason }) => reason),
    ['file-unusable'],
  )
  assert.equal([typed.exitCode, last.exitCode], [69, 69])
  assert.is(last.next, 'df -h / # make room, then run it again')
  checkout.remove()
})

test('the lock is free for the next run when the last word is said', async () => {
  const checkout = checkoutOf(fakeCluster(['a', 'b', 'c']))
  let free: boolean | undefined
  const typed = checkout.type(undefined, { output: 'json' })
  const { write } = process.stdout
  process.stdout.write = (text: string | Uint8Array) => {
    if (String(text).includes('"run.finished"')) {
      const [lock = ''] = readdirSync(checkout.runs).filter((name) => name.startsWith('lock.'))
      free = JSON.parse(readFileSync(join(checkout.runs, lock), 'utf8')).released
    }
    return write.call(process.stdout, String(text))
  }
  await typed
  assert.is(free, true)
  checkout.remove()
})

test.run()
