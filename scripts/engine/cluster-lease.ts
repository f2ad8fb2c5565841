/**
 * One run a cluster, wherever it was started from: the Lease `kube-system/talos-workflows`. The lock file keeps runs of
 * one folder apart; a laptop, CI and cron meet here only. A Lease outlives an API server that is down: that it can not
 * be renewed is no loss, that somebody else holds it is.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { CallOptions, Kubernetes, LeaseObject } from '../kubernetes.ts'
import { LEASE } from '../tools/kubectl.ts'
import { processIdentity } from './process-identity.ts'

/** Who holds a Lease, as its annotation says. */
export type LeaseHolder = {
  command: string
  user: string
  host: string
  pid: number
  /** tells the process from a later one with the same pid, and this boot of the machine from others */
  identity: string
  /** processes are looked for by their pid only within one namespace of pids: a container has its own */
  pidNamespace: string
}

export type ClusterLease = {
  /** how the first try went: held, or why not; somebody else's holding is reason `locked` */
  first: Result<{ tookOverFrom?: string }>
  /** undefined while nothing is known against us */
  lost(): Failure | undefined
  /** Asks anew whether the Lease is ours, before something is changed. */
  confirm(signal: AbortSignal): Promise<Failure | undefined>
  release(): Promise<void>
}

const ANNOTATION = 'talos-workflows/holder'
const RENEW_MS = 60_000
const CALL_MS = 15_000

type LeaseWorld = {
  kubernetes: Pick<Kubernetes, 'readLease' | 'createLease' | 'replaceLease' | 'deleteLease'>
  holder: LeaseHolder
  /** longer than an API server may be away: the longest phase of a run and more */
  durationMs: number
  now?: () => number
  /** whether the process that a holder names is gone; false where that can not be told from here */
  isGone?: (holder: LeaseHolder) => boolean
  /** asks each minute; a test may want it sooner */
  renewMs?: number
}

/** This process, as the holder of a Lease. */
export function thisHolder(command: string): LeaseHolder {
  return {
    command,
    user: userInfo().username,
    host: hostname(),
    pid: process.pid,
    identity: processIdentity(process.pid) ?? '',
    pidNamespace: pidNamespace(),
  }
}

/**
 * Takes the Lease, or joins without it where the API does not answer: then each later `confirm` and renewal tries again.
 * A Lease whose renewal is older than its duration by our clock, and a minute, has expired; clocks that are further
 * apart than that would let two runs in, so both ends should keep time.
 */
export async function joinClusterLease(world: LeaseWorld): Promise<ClusterLease> {
  const { kubernetes, holder, durationMs, now = Date.now, isGone = isGoneHere, renewMs = RENEW_MS } = world
  const name = identityOf(holder)
  let held: LeaseObject | undefined
  let renewedAt = 0
  let triedAt = 0
  let loss: Failure | undefined
  let queue: Promise<unknown> = Promise.resolve()

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
  const take = (lease: LeaseObject): void => {
    held = lease
    renewedAt = now()
  }
  const isFree = (lease: LeaseObject): boolean => {
    const { holderIdentity, renewTime, leaseDurationSeconds = 0 } = lease.spec
    if (!holderIdentity) return true
    const other = holderOf(lease)
    if (other && isGone(other)) return true
    const renewed = Date.parse(renewTime ?? '')
    return Number.isNaN(renewed) || renewed + leaseDurationSeconds * 1000 + SKEW_MS < now()
  }

  const acquire = async (options: CallOptions): Promise<Result<{ tookOverFrom?: string }>> => {
    triedAt = now()
    for (let tries = 0; tries < TRIES; tries++) {
      const read = await kubernetes.readLease(options)
      if (!read.ok) return read
      const there = read.value
      // ours already: an answer was lost, not the change
      if (there?.spec.holderIdentity === name) {
        take(there)
        return { ok: true, value: {} }
      }
      if (there && !isFree(there)) return { ok: false, failure: lockedBy(there) }
      const since = microTime(now())
      const taken = there
        ? await kubernetes.replaceLease(
            mine(there.metadata.resourceVersion, since, (there.spec.leaseTransitions ?? 0) + 1),
            options,
          )
        : await kubernetes.createLease(mine(undefined, since, 0), options)
      if (!taken.ok) return taken
      if (taken.value === 'conflict') continue
      take(taken.value)
      const before = there?.spec.holderIdentity
      return { ok: true, value: before ? { tookOverFrom: before } : {} }
    }
    return { ok: false, failure: failure('locked', { detail: 'others take the Lease of the cluster all the time' }) }
  }

  /** Reads the Lease and says why we must stop; adopts a version that somebody else's edit gave it. */
  const look = async (options: CallOptions): Promise<Failure | undefined> => {
    if (loss) return loss
    if (!held) {
      if (now() - triedAt < AGAIN_MS) return undefined
      const late = await acquire(options)
      if (!late.ok && late.failure.reason === 'locked') loss = { ...late.failure, reason: 'lock-lost' }
      return loss
    }
    const read = await kubernetes.readLease(options)
    if (!read.ok) {
      if (now() - renewedAt < durationMs) return undefined
      const detail = 'Kubernetes could not be asked for longer than the Lease of the cluster lasts'
      loss = failure('lock-lost', { detail, hint: 'run the same command again' })
      return loss
    }
    if (read.value?.spec.holderIdentity !== name) {
      const detail = read.value?.spec.holderIdentity
        ? `${describe(read.value)} holds the Lease of the cluster now`
        : 'the Lease of the cluster was taken away'
      loss = failure('lock-lost', { detail, hint: 'run the same command again when the other run is over' })
      return loss
    }
    held = read.value
    return undefined
  }

  const renew = async (options: CallOptions): Promise<void> => {
    if ((await look(options)) || !held) return
    const { acquireTime = microTime(now()), leaseTransitions = 0 } = held.spec
    const renewed = await kubernetes.replaceLease(
      mine(held.metadata.resourceVersion, acquireTime, leaseTransitions),
      options,
    )
    if (renewed.ok && renewed.value !== 'conflict') take(renewed.value)
  }

  /** One conversation about the Lease at a time: each knows the version that the one before left. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work)
    queue = turn.catch(() => undefined)
    return turn
  }

  const first = await inTurn(() => acquire({ timeoutMs: CALL_MS }))
  const timer = setInterval(() => void inTurn(() => renew({ timeoutMs: CALL_MS })).catch(() => undefined), renewMs)
  timer.unref()
  return {
    first,
    lost: () => loss,
    confirm: (signal) => inTurn(() => look({ timeoutMs: CALL_MS, signal })),
    release: () =>
      inTurn(async () => {
        clearInterval(timer)
        const resourceVersion = held?.metadata.resourceVersion
        if (resourceVersion === undefined || loss) return
        // guarded: a Lease that is somebody else's by now stays
        await kubernetes.deleteLease({ resourceVersion }, { timeoutMs: CALL_MS })
      }),
  }
}

const SKEW_MS = 60_000
const TRIES = 3
/** an API that was silent is not asked before each step */
const AGAIN_MS = 10_000

const identityOf = ({ user, host, pid, identity }: LeaseHolder): string => `${user}@${host}/${pid}-${short(identity)}`

/** Enough to tell two processes with one pid apart. */
const short = (identity: string): string => identity.split(' ').at(-1) ?? ''

function holderOf({ metadata }: LeaseObject): LeaseHolder | undefined {
  try {
    return JSON.parse(metadata.annotations?.[ANNOTATION] ?? '') as LeaseHolder
  } catch {
    return undefined
  }
}

/** A dead process can be told only from its own machine, in its own boot and among its own pids. */
function isGoneHere(holder: LeaseHolder): boolean {
  if (holder.host !== hostname() || holder.pidNamespace !== pidNamespace()) return false
  const ours = processIdentity(process.pid)?.split(' ')[0]
  if (process.platform === 'linux' && holder.identity.split(' ')[0] !== ours) return false
  return processIdentity(holder.pid) !== holder.identity
}

/** `pid:[4026531836] <id of the machine's boot>`; empty where there is no such thing. */
function pidNamespace(): string {
  try {
    return `${readlinkSync('/proc/self/ns/pid')} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`
  } catch {
    return ''
  }
}

function describe(lease: LeaseObject): string {
  const holder = holderOf(lease)
  const since = lease.spec.acquireTime ? `, since ${lease.spec.acquireTime.replace(/\.\d+Z$/, 'Z')}` : ''
  return holder
    ? `${holder.command} (pid ${holder.pid} of ${holder.user} on ${holder.host}${since})`
    : `${lease.spec.holderIdentity}${since}`
}

const lockedBy = (lease: LeaseObject): Failure =>
  failure('locked', {
    detail: `${describe(lease)} is at work on this cluster, says its Lease in Kubernetes`,
    hint: `wait for it; where it is known to be dead: kubectl -n ${LEASE.namespace} delete lease ${LEASE.name}`,
  })

/** Times of a Lease have microseconds, and the API server takes nothing else. */
const microTime = (at: number): string => new Date(at).toISOString().replace('Z', '000Z')
