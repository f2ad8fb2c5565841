import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { watch } from '../../scripts/watch.ts'
import { eventually } from '../support/eventually.ts'

type Watched = { isMet: number; deadlineMs: number; isSlow?: true }

/** Watches until the look of that number. A slow look lasts for longer than the deadline. */
async function watched({ isMet, deadlineMs, isSlow }: Watched) {
  const said: string[] = []
  const waiter = {
    signal: new AbortController().signal,
    waiting: (what: string, last?: string) => said.push(`${what}: ${last}`),
  }
  let looks = 0
  const { met } = await watch(waiter, {
    what: 'the look',
    look: async () => {
      const begunAt = Date.now()
      const isLate = () => Date.now() - begunAt > deadlineMs || undefined
      if (isSlow) await eventually(isLate, () => 'the clock stands still')
      looks += 1
      return looks
    },
    until: (look) => look === isMet,
    say: (look) => (look < 3 ? 'early' : 'late'),
    deadlineMs,
    everyMs: 1,
  })
  return { met, looks, said }
}

test('is met by the first look without a word', async () => {
  assert.equal(await watched({ isMet: 1, deadlineMs: 0 }), { met: true, looks: 1, said: [] })
})

test('says what it waits for once for each new thing that it saw', async () => {
  const { said } = await watched({ isMet: 5, deadlineMs: 60_000 })
  assert.equal(said, ['the look: early', 'the look: late'])
})

test('looks again after a first look that took longer than its deadline', async () => {
  assert.equal(await watched({ isMet: 2, isSlow: true, deadlineMs: 10 }), {
    met: true,
    looks: 2,
    said: ['the look: early'],
  })
})

test('ends at its deadline with what it saw last', async () => {
  const { met, looks } = await watched({ isMet: Number.POSITIVE_INFINITY, deadlineMs: 20 })
  assert.not.ok(met)
  assert.ok(looks > 1)
})

test('has all its time when somebody sets the clock', async () => {
  const { now } = Date
  let set = 0
  Date.now = () => now() + 3_600_000 * ++set
  try {
    assert.is((await watched({ isMet: 5, deadlineMs: 60_000 })).met, true)
  } finally {
    Date.now = now
  }
})

test('looks once when it has no time at all', async () => {
  assert.equal(await watched({ isMet: 2, deadlineMs: 0 }), { met: false, looks: 1, said: ['the look: early'] })
})

test.run()
