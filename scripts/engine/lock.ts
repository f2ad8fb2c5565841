/**
 * One run a cluster: the lock is the highest numbered file `lock.<n>`. Taking over a stale or released one creates
 * `lock.<n+1>`, which only one process can; nothing is ever unlinked and created again under the same number
 * (that gave two holders in one of six rounds of forty racers).
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { map } from '../../workflows/model/foreign-json.ts'
import { shellWord } from '../cli/shell-word.ts'
import { createFile } from '../disk/create-file.ts'
import { onDisk } from '../disk/on-disk.ts'
import { putInPlace } from '../disk/put-in-place.ts'
import { syncToDisk } from '../disk/sync-to-disk.ts'
import { type Holder, holderText, isSameHolder, judgeHolder, thisHolder } from './process-identity.ts'

type LockFile = Holder & { released?: boolean }

export type Lock = {
  /** who held it before and is gone */
  takenOverFrom: Holder | undefined
  /** undefined while the lock is ours; else why it no longer is */
  lost(): Failure | undefined
  release(): void
}

/** Somebody else has it. */
export type Locked = {
  ok: false
  failure: Failure
  /** absent where its file can not be read */
  holder?: Holder
  /** the holder can not be judged from here, and counts as alive until somebody else has seen its end */
  isDoubtful: boolean
}

/**
 * Acquires the lock of the folder, which is there, or says who holds it and leaves everything as it was. `over` is a holder that can not be
 * judged from here, and that somebody else has seen the end of.
 */
export function acquireLock(
  folder: string,
  command: string,
  { over }: { over?: Holder } = {},
): { ok: true; lock: Lock } | Locked {
  const mine = thisHolder(command)
  let draft: string | undefined
  try {
    for (;;) {
      const top = highest(folder)
      const holder = top === 0 ? undefined : readHolder(folder, top)
      const locked = holder && refusal(fileOf(folder, top), holder, over)
      if (locked) return locked
      draft ??= writeDraft(folder, mine)
      const number = top + 1
      if (!putInPlace(draft, fileOf(folder, number))) continue
      if (highest(folder) !== number) {
        // a slow racer reused a number that a finished holder had passed and tidied away
        rmSync(fileOf(folder, number), { force: true })
        continue
      }
      for (const old of numbers(folder).filter((n) => n < number)) rmSync(fileOf(folder, old), { force: true })
      const before = holder?.kind === 'read' && !holder.file.released ? holder.file : undefined
      return { ok: true, lock: held(folder, number, mine, before) }
    }
  } finally {
    if (draft !== undefined) rmSync(draft, { force: true })
  }
}

function held(folder: string, number: number, mine: Holder, takenOverFrom: Holder | undefined): Lock {
  const file = fileOf(folder, number)
  return {
    takenOverFrom,
    lost() {
      const asked = onDisk(() => whoIsOnTop(folder, number), 'lock-lost')
      if (!asked.ok) return asked.failure
      const found = asked.value
      if (found === 'we') return undefined
      const detail = found ? `${holderText(found)} took the cluster over` : 'the lock file is gone'
      return failure('lock-lost', { detail })
    },
    release() {
      if (highest(folder) === number) renameSync(writeDraft(folder, { ...mine, released: true }), file)
    },
  }
}

/** Undefined where nobody can be told. */
function whoIsOnTop(folder: string, number: number): 'we' | Holder | undefined {
  try {
    const top = highest(folder)
    if (top === number) return 'we'
    const found = readHolder(folder, top)
    return found?.kind === 'read' ? found.file : undefined
  } catch (error) {
    // the folder as well
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Others may read who it is. On disk before it has its name: after a power cut a lock has its content, or is not there. */
function writeDraft(folder: string, content: LockFile): string {
  const draft = join(folder, `draft.${randomUUID()}`)
  try {
    createFile(draft, Buffer.from(JSON.stringify(content)), 0o644)
    syncToDisk(draft)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  return draft
}

const fileOf = (folder: string, number: number): string => join(folder, `lock.${number}`)

const numbers = (folder: string): number[] =>
  readdirSync(folder).flatMap((name) => {
    const match = /^lock\.(\d+)$/.exec(name)
    return match ? [Number(match[1])] : []
  })

const highest = (folder: string): number => Math.max(0, ...numbers(folder))

type Found = { kind: 'read'; file: LockFile } | { kind: 'unreadable'; why: string }

/** Undefined where somebody who took the lock over has tidied the file away just now. */
function readHolder(folder: string, number: number): Found | undefined {
  try {
    const file: unknown = JSON.parse(readFileSync(fileOf(folder, number), 'utf8'))
    return isLockFile(file) ? { kind: 'read', file } : { kind: 'unreadable', why: GARBAGE }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : { kind: 'unreadable', why: code ?? GARBAGE }
  }
}

const GARBAGE = 'it is garbage'

/** Whether it says who holds the lock, in the words of whatever version. */
const isLockFile = (value: unknown): value is LockFile => {
  const { pid, identity } = map(value)
  return Number.isInteger(pid) && typeof identity === 'string'
}

/** Why the lock can not be had; undefined where nobody has it any more. */
function refusal(path: string, found: Found, over: Holder | undefined): Locked | undefined {
  const byHand = `rm ${shellWord(path)} # only where it is known to be dead`
  if (found.kind === 'unreadable') {
    const detail = `who holds the cluster counts as alive, since ${path} can not be read: ${found.why}`
    return { ok: false, failure: failure('locked', { detail, hint: byHand }), isDoubtful: true }
  }
  const { file: holder } = found
  if (holder.released || (over && isSameHolder(holder, over))) return undefined
  const judged = judgeHolder(holder)
  if (judged === 'gone') return undefined
  const isDoubtful = judged === 'unknown'
  const detail = `${holderText(holder)} ${isDoubtful ? 'holds the cluster, and counts as alive, since it can not be judged from here' : 'is at work on this cluster'}`
  const hint = isDoubtful ? byHand : `ps -fp ${holder.pid} # wait for it, or stop it with Ctrl-C`
  return { ok: false, failure: failure('locked', { detail, hint }), holder, isDoubtful }
}
