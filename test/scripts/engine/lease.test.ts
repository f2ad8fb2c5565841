import { hostname } from 'node:os'
import { mock } from 'node:test'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { CallOptions, LeaseObject } from '../../../scripts/cluster/kubernetes.ts'
import { joinClusterLease } from '../../../scripts/engine/lease.ts'
import { type Holder, thisHolder } from '../../../scripts/engine/process-identity.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { eventually } from '../../support/eventually.ts'

const MINUTE = 60_000
const ok = <T>(value: T) => ({ ok: true as const, value })

/** An API server with one Lease in it, which guards changes by the version as the real one does. */
function apiServer(clock: { now: number }) {
  let lease: LeaseObject | undefined
  let version = 0
  const state = { down: false, changes: 0 }
  const store = (next: LeaseObject) => {
    version += 1
    state.changes += 1
    lease = { ...next, metadata: { ...next.metadata, resourceVersion: String(version) } }
    return lease
  }
  const silent = { ok: false as const, failure: failure('kubernetes-unreachable', { detail: 'connection refused' }) }
  const answer = async <T>(value: () => T) => {
    await Promise.resolve()
    return state.down ? silent : ok(value())
  }
  return {
    state,
    clock,
    lease: () => lease,
    put: (next: LeaseObject) => store(next),
    kubernetes: {
      readLease: () => answer(() => lease),
      createLease: (next: LeaseObject) => answer(() => (lease ? ('conflict' as const) : store(next))),
      replaceLease: (next: LeaseObject) =>
        answer(() =>
          next.metadata.resourceVersion !== lease?.metadata.resourceVersion ? ('conflict' as const) : store(next),
        ),
      deleteLease: ({ resourceVersion }: { resourceVersion: string }) =>
        answer(() => {
          if (lease?.metadata.resourceVersion !== resourceVersion) return 'conflict' as const
          lease = undefined
          return 'done' as const
        }),
    },
  }
}

const here = thisHolder('upgrade of cluster-7')
const elsewhere: Holder = { ...here, user: 'ci', host: `not-${hostname()}`, pid: 1, pidNamespace: 'pid:[1] other' }
const never = new AbortController().signal
const anew = { anew: true }

type Joining = Partial<Parameters<typeof joinClusterLease>[0]> & {
  /** how far the clock on the wall of this computer is ahead of the API server's, in milliseconds */
  aheadMs?: number
  /** called at every look at somebody else's Lease */
  meanwhile?: () => unknown
}

const join = (api: ReturnType<typeof apiServer>, holder: Holder, { aheadMs = 0, meanwhile, ...more }: Joining = {}) =>
  joinClusterLease({
    kubernetes: api.kubernetes,
    holder,
    durationMs: 30 * MINUTE,
    now: () => api.clock.now + aheadMs,
    elapsed: () => api.clock.now,
    pause: async (ms) => {
      api.clock.now += ms
      await meanwhile?.()
    },
    lookMs: MINUTE,
    ...more,
  })

const reasonOf = ({ first }: Awaited<ReturnType<typeof join>>) => (first.ok ? 'held' : first.failure.reason)

const fresh = () => apiServer({ now: Date.parse('2026-01-01T00:00:00Z') })

test('is held by the first, and names it to the second', async () => {
  const api = fresh()
  const first = await join(api, here)
  assert.equal(first.first, ok({}))
  const second = await join(api, elsewhere, { judge: () => 'alive' })
  assert.not(second.first.ok)
  const { reason, detail } = second.first.ok ? failure('bug') : second.first.failure
  assert.is(reason, 'locked')
  assert.match(detail ?? '', `upgrade of cluster-7 (pid ${here.pid} of ${here.user} on ${hostname()}, since 2026-01-01`)
  await second.release()
  assert.ok(api.lease(), 'who never held it does not give it back')
  await first.release()
  assert.is(api.lease(), undefined)
})

test('has exactly one holder among twenty that ask at once', async () => {
  const api = fresh()
  const asked = await Promise.all(
    Array.from({ length: 20 }, (_, pid) =>
      join(api, { ...elsewhere, pid, identity: `boot ${pid}` }, { judge: () => 'alive' }),
    ),
  )
  assert.is(asked.filter(({ first }) => first.ok).length, 1)
  assert.is(api.state.changes, 1)
})

test('is taken over at once from a dead process of this machine', async () => {
  const api = fresh()
  await join(api, { ...here, identity: `${here.identity.split(' ')[0]} 1`, pid: 2 ** 22 - 1 })
  const next = await join(api, here)
  assert.ok(next.first.ok && next.first.value.tookOverFrom?.includes(`${2 ** 22 - 1}`))
})

test('of a holder that renews it is refused as soon as that is seen, whatever the two clocks say', async () => {
  for (const aheadMs of [0, 120 * MINUTE, -120 * MINUTE]) {
    const api = fresh()
    const first = await join(api, elsewhere)
    const startedAt = api.clock.now
    const renew = () => {
      const lease = api.lease()
      if (lease) api.put({ ...lease, spec: { ...lease.spec, renewTime: new Date(api.clock.now).toISOString() } })
    }
    const second = await join(api, here, { aheadMs, meanwhile: renew })
    assert.is(reasonOf(second), 'locked')
    assert.is(api.clock.now - startedAt, MINUTE)
    assert.is(await first.confirm(never, anew), undefined, 'the one that runs is not disturbed')
  }
})

test('that stands still is taken over after its duration, and until when it is watched is said', async () => {
  for (const aheadMs of [0, 120 * MINUTE, -120 * MINUTE]) {
    const api = fresh()
    await join(api, elsewhere)
    const startedAt = api.clock.now
    const said: string[] = []
    const next = await join(api, here, { aheadMs, say: (text) => said.push(text) })
    assert.ok(next.first.ok && next.first.value.tookOverFrom?.startsWith('ci@'))
    assert.is(api.clock.now - startedAt, 30 * MINUTE)
    assert.is(said.length, 1)
    assert.match(said[0] ?? '', /watching whether it is still renewed, until \d\d:\d\d:\d\d at the longest/)
  }
})

test('that stands still is left when the wait is interrupted', async () => {
  const api = fresh()
  await join(api, elsewhere)
  const stop = new AbortController()
  const pause = async () => {
    stop.abort()
    throw stop.signal.reason
  }
  assert.is(reasonOf(await join(api, here, { pause, signal: stop.signal })), 'interrupted')
  assert.is(api.state.changes, 1)
})

test('that is given back while it is watched is taken', async () => {
  const api = fresh()
  const first = await join(api, elsewhere)
  assert.is(reasonOf(await join(api, here, { meanwhile: () => first.release() })), 'held')
})

test('is taken from the holder of a lock file alone, and left free where there is none', async () => {
  const api = fresh()
  assert.is(reasonOf(await join(api, here, { only: elsewhere })), 'locked')
  assert.is(api.state.changes, 0)
  await join(api, { ...elsewhere, pid: 2 })
  assert.is(reasonOf(await join(api, here, { only: elsewhere })), 'locked')
  assert.is(api.state.changes, 1)
  assert.is(reasonOf(await join(api, here, { only: { ...elsewhere, pid: 2 } })), 'held')
})

test('is not judged by the pid of another container', async () => {
  const api = fresh()
  await join(api, { ...here, pid: 2 ** 22 - 1, pidNamespace: 'pid:[1] other' })
  const startedAt = api.clock.now
  assert.is(reasonOf(await join(api, here)), 'held')
  assert.is(api.clock.now - startedAt, 30 * MINUTE, 'it was watched')
})

test('is not read again before each small step, but in a minute, and after a sleep that stopped the clock', async () => {
  const api = fresh()
  let sleptMs = 0
  let reads = 0
  const readLease = () => {
    reads += 1
    return api.kubernetes.readLease()
  }
  const held = await join(api, here, {
    kubernetes: { ...api.kubernetes, readLease },
    now: () => api.clock.now + sleptMs,
  })
  const confirmed = async (how: { anew: boolean | 'lately' }) => {
    const before = reads
    assert.is(await held.confirm(never, how), undefined)
    return reads - before
  }
  assert.is(await confirmed({ anew: false }), 0)
  assert.is(await confirmed({ anew: true }), 1)
  assert.is(await confirmed({ anew: 'lately' }), 0, 'the step before has just asked')
  api.clock.now += 1_000
  assert.is(await confirmed({ anew: 'lately' }), 1)
  assert.is(await confirmed({ anew: true }), 1, 'what can not be taken back asks whatever was told before')
  sleptMs = 1_000
  assert.is(await confirmed({ anew: 'lately' }), 1, 'a machine that slept knows nothing of what was told before')
  sleptMs = 0
  api.clock.now += MINUTE
  assert.is(await confirmed({ anew: false }), 1)
  assert.is(await confirmed({ anew: false }), 0)
  sleptMs = 2 * MINUTE
  assert.is(await confirmed({ anew: false }), 1)
})

test('is lost to whoever took it over, which the next step hears', async () => {
  const api = fresh()
  const first = await join(api, elsewhere)
  assert.is(await first.confirm(never, anew), undefined)
  await join(api, here, { judge: () => 'gone' })
  assert.not(first.loses.aborted)
  assert.is((await first.confirm(never, anew))?.reason, 'lock-lost')
  assert.is(first.lost()?.reason, 'lock-lost')
  assert.ok(first.loses.aborted, 'what can be cut off hears of it')
  await first.release()
  assert.match(api.lease()?.spec.holderIdentity ?? '', hostname())
})

test('outlives an API server that is away, until it would have expired', async () => {
  const api = fresh()
  const held = await join(api, here)
  api.state.down = true
  api.clock.now += 29 * MINUTE
  assert.is(await held.confirm(never, anew), undefined)
  api.clock.now += 2 * MINUTE
  assert.is((await held.confirm(never, anew))?.reason, 'lock-lost')
})

test('is taken late where the API server was away at first, and refused late where somebody has it', async () => {
  for (const other of [false, true]) {
    const api = fresh()
    api.state.down = true
    const late = await join(api, here, { judge: () => 'alive' })
    assert.not(late.first.ok)
    assert.not(late.isHeld())
    api.state.down = false
    // right before a step the API is asked anew, however short the silence was
    if (other) await join(api, elsewhere)
    const why = await late.confirm(never, anew)
    assert.is(why?.reason, other ? 'lock-lost' : undefined)
    assert.is(api.lease()?.spec.holderIdentity?.includes('ci@'), other)
  }
})

test('counts the time that a machine slept through, where the API is silent after it', async () => {
  const api = fresh()
  let sleptMs = 0
  const held = await join(api, here, { now: () => api.clock.now + sleptMs })
  api.state.down = true
  sleptMs = 31 * MINUTE
  assert.is((await held.confirm(never, anew))?.reason, 'lock-lost')
})

test('is known for our own where the answer to taking it was lost', async () => {
  const api = fresh()
  const { createLease } = api.kubernetes
  api.kubernetes.createLease = async (next) => {
    await createLease(next)
    api.kubernetes.createLease = createLease
    return { ok: true, value: 'conflict' }
  }
  assert.equal((await join(api, here)).first, ok({}))
  assert.is(api.state.changes, 1)
})

test('survives an edit by hand that leaves its holder', async () => {
  const api = fresh()
  const held = await join(api, here)
  const lease = api.lease()
  if (lease)
    api.put({ ...lease, metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, a: 'b' } } })
  assert.is(await held.confirm(never, anew), undefined)
  await held.release()
  assert.is(api.lease(), undefined)
})

test('that was deleted by hand ends the run', async () => {
  const api = fresh()
  const held = await join(api, here)
  await api.kubernetes.deleteLease({ resourceVersion: api.lease()?.metadata.resourceVersion ?? '' })
  assert.match((await held.confirm(never, anew))?.detail ?? '', 'taken away')
})

test('that can not be given back is told', async () => {
  const api = fresh()
  const said: string[] = []
  const lease = await join(api, here, { say: (text) => said.push(text) })
  api.state.down = true
  await lease.release()
  assert.is(said.length, 1)
  assert.match(said[0] ?? '', /^the Lease of the cluster could not be given back, .*: connection refused$/)
})

test('that was taken by a call without an answer, cut off by Ctrl-C or not, is given back', async () => {
  for (const takenOver of [false, true]) {
    const api = fresh()
    if (takenOver) await join(api, elsewhere)
    const cut = async (change: (next: LeaseObject) => Promise<unknown>, next: LeaseObject) => {
      await change(next)
      return { ok: false as const, failure: failure('command-failed', { detail: 'was interrupted' }) }
    }
    const { createLease, replaceLease } = api.kubernetes
    const lease = await join(api, here, {
      kubernetes: {
        ...api.kubernetes,
        createLease: (next) => cut(createLease, next),
        replaceLease: (next) => cut(replaceLease, next),
      },
      judge: () => 'gone',
    })
    assert.is(reasonOf(lease), 'command-failed')
    assert.match(api.lease()?.spec.holderIdentity ?? '', hostname(), 'the server had done it')
    await lease.release()
    assert.is(api.lease(), undefined)
  }
})

test('that could not be taken, and that another has by then, stays', async () => {
  const api = fresh()
  const lost = async () => ({ ok: false as const, failure: failure('kubernetes-unreachable') })
  const lease = await join(api, here, { kubernetes: { ...api.kubernetes, createLease: lost } })
  await join(api, elsewhere)
  await lease.release()
  assert.match(api.lease()?.spec.holderIdentity ?? '', 'ci@')
})

test('that somebody edited since it was renewed is given back', async () => {
  const api = fresh()
  const lease = await join(api, here)
  const there = api.lease()
  if (there)
    api.put({ ...there, metadata: { ...there.metadata, annotations: { ...there.metadata.annotations, a: 'b' } } })
  await lease.release()
  assert.is(api.lease(), undefined)
})

test('is not taken anew by a renewal that was due while it was given back', async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    const api = fresh()
    let asked = 0
    let answer = () => {}
    const slow = new Promise<void>((resolve) => {
      answer = resolve
    })
    const readLease = async () => {
      asked += 1
      if (asked === 2) await slow
      api.state.down = asked <= 2
      return api.kubernetes.readLease()
    }
    const lease = await join(api, here, { kubernetes: { ...api.kubernetes, readLease } })
    assert.is(reasonOf(lease), 'kubernetes-unreachable')
    mock.timers.tick(MINUTE)
    const released = lease.release()
    mock.timers.tick(MINUTE)
    answer()
    await released
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal([asked, api.lease()], [2, undefined])
  } finally {
    mock.timers.reset()
  }
})

test('waits for no renewal to be given back, and for no server once it is told to end', async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    const api = fresh()
    const said: string[] = []
    let hangs = false
    let limit = 0
    const untilCut = ({ signal, timeoutMs }: CallOptions) => {
      limit = timeoutMs
      return new Promise<never>((_, reject) => {
        if (signal?.aborted) reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    }
    const { readLease, deleteLease } = api.kubernetes
    const kubernetes = {
      ...api.kubernetes,
      readLease: (options: CallOptions) => (hangs ? untilCut(options) : readLease()),
      deleteLease: (which: { resourceVersion: string }, options: CallOptions) =>
        hangs ? untilCut(options) : deleteLease(which),
    }
    const lease = await join(api, here, { kubernetes, say: (text) => said.push(text) })
    hangs = true
    mock.timers.tick(MINUTE)
    const forced = new AbortController()
    const released = lease.release({ signal: forced.signal, hurried: true })
    await eventually(
      () => limit === 3_000 || undefined,
      () => 'the renewal was waited for',
    )
    forced.abort()
    await released
    assert.match(said.join(), 'could not be given back')
  } finally {
    mock.timers.reset()
  }
})

test.run()
