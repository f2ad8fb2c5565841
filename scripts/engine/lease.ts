/**
 * One run a cluster, wherever it was started from: the Lease `kube-system/talos-workflows`. The lock file keeps runs of
 * one folder apart; a laptop, CI and cron meet here only. A Lease outlives an API server that is down: that it can not
 * be renewed is no loss, that somebody else holds it is.
 */

import { setTimeout as pauseFor } from 'node:timers/promises'
import { AGAIN } from '../../workflows/model/again.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { CallOptions, Kubernetes, LeaseObject } from '../cluster/kubernetes.ts'
import { LEASE } from '../tools/kubectl.ts'
import { never } from './never.ts'
import { type Holder, holderText, isSameHolder, judgeHolder } from './process-identity.ts'
import { startsFor } from './starts.ts'

export type ClusterLease = {
  /** how the first try went: held, or why not; somebody else's holding is reason `locked` */
  first: Result<{ tookOverFrom?: string }>
  /** undefined while nothing is known against us */
  lost(): Failure | undefined
  /** what dead runs left may be touched only by who holds it */
  isHeld(): boolean
  /** aborted when it is lost */
  loses: AbortSignal
  /** Whether the Lease is ours, before something is changed: asked `anew`, as it was `lately`, or as of the last minute. */
  confirm(signal: AbortSignal, how: { anew: boolean | 'lately' }): Promise<Failure | undefined>
  release(how?: GiveBack): Promise<void>
}

/** How patiently a Lease is given back. */
export type GiveBack = {
  /** ends it */
  signal?: AbortSignal
  /** somebody waits for the last word of the run */
  hurried?: boolean
}

const ANNOTATION = 'talos-workflows/holder'
const RENEW_MS = 60_000
const CALL_MS = 15_000
const HURRIED_MS = 3_000

/** whether a holder that can not be judged still renews its Lease is looked at this often */
const LOOK_MS = 5_000

type LeaseWorld = {
  kubernetes: Pick<Kubernetes, 'readLease' | 'createLease' | 'replaceLease' | 'deleteLease'>
  holder: Holder
  /** longer than an API server may be away: the longest phase of a run and more */
  durationMs: number
  /** takes it over from this holder and takes it in no other way, so that a free one stays free */
  only?: Holder
  /** ends the wait for somebody else's Lease */
  signal?: AbortSignal
  /** hears whose Lease is being watched, and until when */
  say?: (text: string) => void
  /** time of day, for others to read */
  now?: () => number
  /** a clock that nobody sets, in milliseconds */
  elapsed?: () => number
  pause?: (ms: number, signal: AbortSignal) => Promise<void>
  /** whether the process that a holder names still runs */
  judge?: (holder: Holder) => 'alive' | 'gone' | 'unknown'
  /** asks each minute; a test may want it sooner */
  renewMs?: number
  lookMs?: number
}

/**
 * Takes the Lease, or joins without it where the API does not answer: then each later `confirm` and renewal tries again.
 * Clocks of two machines are never compared: a holder that can not be judged from here is gone when its Lease stands still
 * for as long as it lasts, by our own monotonic clock. Whoever renews it meanwhile is alive, and we go at once.
 */
export async function joinClusterLease(world: LeaseWorld): Promise<ClusterLease> {
  const { kubernetes, holder, durationMs, only, signal, say = () => {} } = world
  const { now = Date.now, elapsed = () => performance.now(), pause = sleep, judge = judgeHolder } = world
  const { renewMs = RENEW_MS, lookMs = LOOK_MS } = world
  const name = identityOf(holder)
  let held: LeaseObject | undefined
  let renewedAt = { wall: 0, own: 0 }
  /** when it was read last that it is ours */
  let readAt = renewedAt
  let loss: Failure | undefined
  let askedAt = 0
  /** what was sent to take it got no answer, and may have been done all the same */
  let mayBeOurs = false
  let queue: Promise<unknown> = Promise.resolve()
  const loses = new AbortController()

  const spec = (since: string, transitions: number): LeaseObject['spec'] => ({
    holderIdentity: name,
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime: since,
    renewTime: microTime(now()),
    leaseTransitions: transitions,
  })
  const mine = (resourceVersion: string | undefined, since: string, transitions: number): LeaseObject => ({
    metadata: {
      ...LEASE,
      ...(resourceVersion ? { resourceVersion } : {}),
      annotations: { [ANNOTATION]: JSON.stringify(holder) },
    },
    spec: spec(since, transitions),
  })
  const clocks = () => ({ wall: now(), own: elapsed() })
  /** A monotonic clock stands still in a machine that sleeps, so the longer of two measures counts. */
  const sinceMs = ({ wall, own }: typeof renewedAt): number => Math.max(now() - wall, elapsed() - own)
  const take = (lease: LeaseObject, askedAt: typeof renewedAt): void => {
    held = lease
    renewedAt = askedAt
    readAt = askedAt
  }
  const lose = (why: Failure): Failure => {
    loss = why
    loses.abort()
    return why
  }
  /** With `watching` it waits until a holder that can not be judged has renewed its Lease, or let it stand still too long. */
  const acquire = async (options: CallOptions, watching?: AbortSignal): Promise<Result<{ tookOverFrom?: string }>> => {
    let seen: { lease: LeaseObject; at: number } | undefined
    for (let tries = 0; tries < TRIES; ) {
      const asked = clocks()
      askedAt = asked.own
      const read = await kubernetes.readLease(options)
      if (!read.ok) {
        if (!seen || watching === undefined) return read
        // whoever was there may be there still; what it did meanwhile shows when the API answers again
        if (elapsed() - seen.at >= 2 * lastsMs(seen.lease)) return { ok: false, failure: lockedBy(seen.lease) }
        await pause(lookMs, watching)
        continue
      }
      const there = read.value
      // ours already: an answer was lost, not the change
      if (there?.spec.holderIdentity === name) {
        take(there, asked)
        return { ok: true, value: {} }
      }
      if (only && !(there && isOf(there, only))) return { ok: false, failure: failure('locked') }
      if (there?.spec.holderIdentity) {
        const other = holderOf(there)
        const judged = other ? judge(other) : 'unknown'
        if (judged === 'alive') return { ok: false, failure: lockedBy(there) }
        if (judged === 'unknown') {
          if (watching === undefined || (seen && stands(seen.lease) !== stands(there)))
            return { ok: false, failure: lockedBy(there) }
          if (seen === undefined) {
            seen = { lease: there, at: elapsed() }
            say(watchText(there, new Date(now() + lastsMs(there))))
          }
          if (elapsed() - seen.at < lastsMs(there)) {
            await pause(lookMs, watching)
            continue
          }
        }
      }
      tries += 1
      const since = microTime(now())
      mayBeOurs = true
      const taken = there
        ? await kubernetes.replaceLease(
            mine(there.metadata.resourceVersion, since, (there.spec.leaseTransitions ?? 0) + 1),
            options,
          )
        : await kubernetes.createLease(mine(undefined, since, 0), options)
      if (!taken.ok) return taken
      mayBeOurs = false
      if (taken.value === 'conflict') continue
      take(taken.value, asked)
      const before = there?.spec.holderIdentity
      return { ok: true, value: before ? { tookOverFrom: before } : {} }
    }
    return { ok: false, failure: failure('locked', { detail: 'others take the Lease of the cluster all the time' }) }
  }
  const lastsMs = (lease: LeaseObject): number => (lease.spec.leaseDurationSeconds || durationMs / 1000) * 1000

  /** Reads the Lease and says why we must stop; adopts a version that somebody else's edit gave it. */
  const look = async (options: CallOptions, watching: AbortSignal | undefined): Promise<Failure | undefined> => {
    if (loss) return loss
    if (!held) {
      const late = await acquire(options, watching)
      // one that nobody could watch yet is judged by the next who confirms
      const isOthers = !late.ok && late.failure.reason === 'locked' && watching !== undefined
      return isOthers ? lose({ ...late.failure, reason: 'lock-lost' }) : undefined
    }
    const asked = clocks()
    const read = await kubernetes.readLease(options)
    if (!read.ok) {
      if (sinceMs(renewedAt) < durationMs) return undefined
      const detail = 'Kubernetes could not be asked for longer than the Lease of the cluster lasts'
      return lose(failure('lock-lost', { detail, hint: AGAIN }))
    }
    if (read.value?.spec.holderIdentity !== name) {
      const detail = read.value?.spec.holderIdentity
        ? `${describe(read.value)} holds the Lease of the cluster now`
        : 'the Lease of the cluster was taken away'
      return lose(failure('lock-lost', { detail, hint: `${AGAIN} # when the other run is over` }))
    }
    held = read.value
    readAt = asked
    return undefined
  }

  const renew = async (options: CallOptions): Promise<void> => {
    const before = readAt
    // what could not be read can not be replaced either
    if ((await look(options, undefined)) || !held || readAt === before) return
    const { acquireTime = microTime(now()), leaseTransitions = 0 } = held.spec
    const asked = clocks()
    const renewed = await kubernetes.replaceLease(
      mine(held.metadata.resourceVersion, acquireTime, leaseTransitions),
      options,
    )
    if (renewed.ok && renewed.value !== 'conflict') take(renewed.value, asked)
  }

  /** Deletes it where it is ours still, and says why that could not be done; one that is somebody else's by now stays. */
  const giveBack = async ({ signal, hurried = false }: GiveBack): Promise<Failure | undefined> => {
    const options = { timeoutMs: hurried ? HURRIED_MS : CALL_MS, ...(signal && { signal }) }
    let resourceVersion = held?.metadata.resourceVersion
    for (let tries = 0; tries < TRIES; tries++) {
      if (resourceVersion === undefined) {
        const read = await kubernetes.readLease(options)
        if (!read.ok) return read.failure
        if (read.value?.spec.holderIdentity !== name) return undefined
        resourceVersion = read.value.metadata.resourceVersion ?? ''
      }
      const given = await kubernetes.deleteLease({ resourceVersion }, options)
      if (!given.ok) return given.failure
      if (given.value !== 'conflict') return undefined
      // somebody edited it, or the answer to our last renewal was lost
      resourceVersion = undefined
    }
    return failure('locked', { detail: 'others change it all the time' })
  }

  /** One conversation about the Lease at a time: each knows the version that the one before left. */
  const inTurn = <T>(talk: () => Promise<T>): Promise<T> => {
    const work = () => startsFor({ of: 'lease' }, talk)
    const turn = queue.then(work, work)
    queue = turn.catch(() => undefined)
    return turn
  }

  const interrupted = { ok: false as const, failure: failure('interrupted') }
  const first = await inTurn(() => acquire({ timeoutMs: CALL_MS, ...(signal && { signal }) }, signal ?? never)).catch(
    (error: unknown) => {
      if (signal?.aborted) return interrupted
      throw error
    },
  )
  const ends = new AbortController()
  const renewal = () => void inTurn(() => renew({ timeoutMs: CALL_MS, signal: ends.signal })).catch(() => undefined)
  const timer = setInterval(renewal, renewMs)
  timer.unref()
  return {
    first,
    lost: () => loss,
    isHeld: () => held !== undefined && loss === undefined,
    loses: loses.signal,
    confirm: (until, { anew }) =>
      inTurn(async () => {
        // an API that was silent just now is not asked before each small step, nor is one that has told
        const [enoughMs, againMs] = anew === 'lately' ? [LATELY_MS, LATELY_MS] : [renewMs, AGAIN_MS]
        const isKnown = held ? sinceMs(readAt) < enoughMs : elapsed() - askedAt < againMs
        if (anew !== true && !loss && isKnown) return undefined
        return look({ timeoutMs: CALL_MS, signal: until }, until)
      }),
    release: (how = {}) => {
      // a renewal that comes to its turn after this one would take the Lease anew, and one that is at it is not waited for
      clearInterval(timer)
      ends.abort()
      return inTurn(async () => {
        if (loss || !(held || mayBeOurs)) return
        const given = await giveBack(how).catch((error: unknown) => {
          if (!how.signal?.aborted) throw error
          return failure('interrupted')
        })
        const { reason, detail = reason } = given ?? {}
        if (detail === undefined) return
        say(
          `the Lease of the cluster could not be given back, so that other computers wait until it stands still: ${detail}`,
        )
      })
    },
  }
}

const TRIES = 3

const AGAIN_MS = 10_000

/** steps that follow each other at once on the way down are begun on one answer */
const LATELY_MS = 1_000

const sleep = (ms: number, signal: AbortSignal): Promise<void> => pauseFor(ms, undefined, { signal })

/** What changes with every renewal, and with every other change of the Lease. */
const stands = ({ metadata, spec }: LeaseObject): string =>
  [metadata.resourceVersion, spec.holderIdentity, spec.renewTime].join(' ')

const watchText = (lease: LeaseObject, until: Date): string =>
  `${describe(lease)} holds the Lease of the cluster and can not be judged from here: watching whether it is still renewed, until ${until.toTimeString().slice(0, 8)} at the longest; Ctrl-C ends this`

const identityOf = ({ user, host, pid, identity }: Holder): string => `${user}@${host}/${pid}-${short(identity)}`

/** Enough to tell two processes with one pid apart. */
const short = (identity: string): string => identity.split(' ').at(-1) ?? ''

function holderOf({ metadata, spec }: LeaseObject): Holder | undefined {
  try {
    const holder = JSON.parse(metadata.annotations?.[ANNOTATION] ?? '') as Holder
    // somebody who took the Lease by hand left our words about another
    return identityOf(holder) === spec.holderIdentity ? holder : undefined
  } catch {
    return undefined
  }
}

function isOf(lease: LeaseObject, holder: Holder): boolean {
  const there = holderOf(lease)
  return there !== undefined && isSameHolder(there, holder)
}

function describe(lease: LeaseObject): string {
  const { acquireTime, holderIdentity } = lease.spec
  const since = acquireTime?.replace(/\.\d+Z$/, 'Z')
  const holder = holderOf(lease)
  if (holder) return holderText({ ...holder, since: since ?? holder.since })
  return `${holderIdentity}${since === undefined ? '' : `, since ${since}`}`
}

const lockedBy = (lease: LeaseObject): Failure =>
  failure('locked', {
    detail: `${describe(lease)} is at work on this cluster, says its Lease in Kubernetes`,
    hint: `kubectl -n ${LEASE.namespace} delete lease ${LEASE.name} # only where that run is known to be dead; else it is waited for`,
  })

/** Times of a Lease have microseconds, and the API server takes nothing else. */
const microTime = (at: number): string => new Date(at).toISOString().replace('Z', '000Z')
