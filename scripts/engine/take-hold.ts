/** Lock and Lease of a cluster, as one: a run that is refused by either has taken nothing, and disturbed nobody. */
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { APPLY } from '../../workflows/plan/missing-access.ts'
import type { Kubernetes } from '../cluster/kubernetes.ts'
import { onDisk } from '../disk/on-disk.ts'
import { type ClusterLease, type GiveBack, joinClusterLease } from './lease.ts'
import { acquireLock, type Lock } from './lock.ts'
import { never } from './never.ts'
import { holderText, thisHolder } from './process-identity.ts'

export type Hold = {
  /** why this process may start nothing any more */
  fence(): Failure | undefined
  /** the same, asked anew */
  confirm: ClusterLease['confirm']
  /** aborted when it is lost */
  loses: AbortSignal
  /** what dead runs left in Kubernetes may be touched only by who holds its Lease */
  holdsLease(): boolean
  /** Gives both back; with a request to stop behind it, it takes little time, and none after the signal. */
  release(how?: GiveBack): Promise<void>
}

/** the lock file is looked at this often while steps go on */
const LOOK_MS = 5_000

/**
 * Takes both. Where the holder of the lock file can not be judged from here, its Lease has to show that it is gone: the file
 * alone is not taken over. Where Kubernetes does not answer, the lock file has to do, and it is said; where it answers that
 * no Lease may be kept, that is a reason against the run, unless the person chose to go without.
 */
export async function takeHold({
  folder,
  command,
  kubernetes,
  keepsLease,
  durationMs,
  signal,
  say,
}: {
  folder: string
  command: string
  kubernetes: Kubernetes
  /** false: the person chose that no Lease is kept */
  keepsLease: boolean
  durationMs: number
  signal: AbortSignal
  say: (text: string) => void
}): Promise<Result<Hold>> {
  const asked = onDisk(() => acquireLock(folder, command))
  if (!asked.ok) return asked
  const first = asked.value
  const doubted = first.ok || !first.isDoubtful ? undefined : first.holder
  if (!first.ok && doubted === undefined) return first
  const holder = thisHolder(command)
  const lease = keepsLease
    ? await joinClusterLease({ kubernetes, holder, durationMs, signal, say, ...(doubted && { only: doubted }) })
    : noLease()
  let lock = first.ok ? first.lock : undefined
  const giveBack = async (why: Failure): Promise<Result<Hold>> => {
    await lease.release()
    onDisk(() => lock?.release())
    return { ok: false, failure: why }
  }

  if (lease.first.ok) {
    const { tookOverFrom } = lease.first.value
    if (tookOverFrom) say(`took over the Lease of ${tookOverFrom}, which is gone`)
  } else {
    const { failure: why } = lease.first
    // a Lease that says nothing of who has the file is no witness
    const isWitness = why.reason === 'interrupted' || (why.reason === 'locked' && why.detail !== undefined)
    if (!first.ok) return giveBack(isWitness ? why : first.failure)
    if (why.reason === 'locked' || why.reason === 'interrupted') return giveBack(why)
    if (why.reason === 'kubernetes-forbidden') return giveBack(mayKeepNone(why))
    const silent = why.reason === 'kubernetes-unreachable' ? 'is silent' : 'can not be asked'
    const because = keepsLease ? `since Kubernetes ${silent}: ${why.detail ?? why.reason}` : SKIPPED
    say(`only the lock of this folder keeps others away, ${because}`)
  }
  if (lock === undefined) {
    const again = onDisk(() => acquireLock(folder, command, doubted && { over: doubted }))
    if (!again.ok) return giveBack(again.failure)
    if (!again.value.ok) return giveBack(again.value.failure)
    lock = again.value.lock
  }
  if (lock.takenOverFrom) say(`took over the stale lock of ${holderText(lock.takenOverFrom)}`)
  return { ok: true, value: holding(lock, lease) }
}

const SKIPPED = 'since access.lease of operations.yaml says so'

/** Runs of other computers could be at work at the same time. */
const mayKeepNone = (why: Failure): Failure => ({
  ...why,
  detail: `no Lease can be kept in kube-system, which keeps runs of other computers away: ${why.detail ?? why.reason}`,
  hint: `${APPLY} # or access.lease: skip in operations.yaml`,
})

/** What is there of a Lease that nobody keeps. */
const noLease = (): ClusterLease => ({
  first: { ok: false, failure: failure('kubernetes-unreachable') },
  lost: () => undefined,
  isHeld: () => false,
  loses: never,
  confirm: async () => undefined,
  release: async () => {},
})

function holding(lock: Lock, lease: ClusterLease): Hold {
  const lockLoses = new AbortController()
  // what was cut off for it can not be held again, even where the lock reads well a moment later
  let loss: Failure | undefined
  const timer = setInterval(() => {
    loss ??= lock.lost()
    if (loss) lockLoses.abort()
  }, LOOK_MS)
  timer.unref()
  return {
    fence: () => loss ?? lock.lost() ?? lease.lost(),
    confirm: async (signal, how) => loss ?? lock.lost() ?? lease.confirm(signal, how),
    loses: AbortSignal.any([lockLoses.signal, lease.loses]),
    holdsLease: lease.isHeld,
    async release(how) {
      clearInterval(timer)
      // whatever still goes on may begin nothing more
      loss ??= failure('lock-lost', { detail: 'this run has given lock and Lease back' })
      lockLoses.abort()
      await lease.release(how)
      // where the disk is full the lock is not given back, and stale when this process has ended
      onDisk(() => lock.release())
    },
  }
}
