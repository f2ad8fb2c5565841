/**
 * One run a cluster: the lock is the highest numbered file `lock.<n>`. Taking over a stale or released one creates
 * `lock.<n+1>`, which only one process can; nothing is ever unlinked and created again under the same number
 * (that gave two holders in one of six rounds of forty racers).
 */
import { randomUUID } from 'node:crypto'
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { processIdentity } from './process-identity.ts'

export type Holder = {
  pid: number
  host: string
  /** tells the process from a later one with the same pid */
  identity: string
  command: string
  since: string
  released?: boolean
}

export type Lock = {
  /** who held it before and is gone */
  takenOverFrom: Holder | undefined
  /** undefined while the lock is ours; else why it no longer is */
  lost(): Failure | undefined
  release(): void
}

const HEARTBEAT_MS = 15_000
/** a holder on another host can not be looked at, only heard: it is gone after this much silence */
const SILENCE_MS = 10 * 60_000

/** Acquires the lock of the folder, or says who holds it. */
export function acquireLock(
  folder: string,
  command: string,
): { ok: true; lock: Lock } | { ok: false; failure: Failure; holder: Holder } {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const mine: Holder = {
    pid: process.pid,
    host: hostname(),
    identity: processIdentity(process.pid) ?? '',
    command,
    since: new Date().toISOString(),
  }
  const draft = draftIn(folder)
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 })
  try {
    for (;;) {
      const top = highest(folder)
      const holder = top === 0 ? undefined : readHolder(folder, top)
      if (holder && !isGone(folder, top, holder)) return { ok: false, failure: heldBy(holder), holder }
      const number = top + 1
      // the link appears with its content, or not at all
      if (!linked(draft, fileOf(folder, number))) continue
      if (highest(folder) !== number) {
        // a slow racer reused a number that a finished holder had passed and tidied away
        rmSync(fileOf(folder, number), { force: true })
        continue
      }
      for (const old of numbers(folder).filter((n) => n < number)) rmSync(fileOf(folder, old), { force: true })
      return { ok: true, lock: held(folder, number, mine, holder?.released ? undefined : holder) }
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function held(folder: string, number: number, mine: Holder, takenOverFrom: Holder | undefined): Lock {
  const file = fileOf(folder, number)
  const heartbeat = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date())
    } catch {
      // taken over: `lost` says so before the next effect
    }
  }, HEARTBEAT_MS)
  heartbeat.unref()
  return {
    takenOverFrom,
    lost() {
      const top = highest(folder)
      if (top === number) return undefined
      const holder = readHolder(folder, top)
      return failure('lock-lost', {
        detail: holder ? `${describe(holder)} took the cluster over` : 'the lock file is gone',
      })
    },
    release() {
      clearInterval(heartbeat)
      if (highest(folder) !== number) return
      const draft = draftIn(folder)
      writeFileSync(draft, JSON.stringify({ ...mine, released: true }), { mode: 0o600 })
      renameSync(draft, file)
    },
  }
}

const draftIn = (folder: string): string => join(folder, `draft.${randomUUID()}`)

const fileOf = (folder: string, number: number): string => join(folder, `lock.${number}`)

const numbers = (folder: string): number[] =>
  readdirSync(folder).flatMap((name) => {
    const match = /^lock\.(\d+)$/.exec(name)
    return match ? [Number(match[1])] : []
  })

const highest = (folder: string): number => Math.max(0, ...numbers(folder))

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readHolder(folder: string, number: number): Holder | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(folder, number), 'utf8')) as Holder
  } catch {
    return undefined
  }
}

function isGone(folder: string, number: number, holder: Holder): boolean {
  if (holder.released) return true
  if (holder.host !== hostname()) {
    try {
      return Date.now() - statSync(fileOf(folder, number)).mtimeMs > SILENCE_MS
    } catch {
      return false
    }
  }
  return processIdentity(holder.pid) !== holder.identity
}

const describe = (holder: Holder): string =>
  `${holder.command} (pid ${holder.pid} on ${holder.host}, since ${holder.since})`

const heldBy = (holder: Holder): Failure =>
  failure('locked', {
    detail: `${describe(holder)} is at work on this cluster`,
    hint: 'wait for it, or stop it with Ctrl-C',
  })
