/** What the operating system says against a file or a folder of ours, as a failure that says which one and what to type. */
import { readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { type Failure, type FailureReason, failure, type Result } from '../../workflows/model/failure.ts'
import { shellWord } from '../cli/shell-word.ts'
import { UnfitFile } from './unfit-file.ts'

/** Carries out what reads or writes files of ours. A disk that is full, read-only or gone is a failure and no bug. */
export function onDisk<T>(work: () => T, reason: FailureReason = 'journal-unwritable'): Result<T> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    const found = failureOfDisk(error, reason)
    if (found === undefined) throw error
    return { ok: false, failure: found }
  }
}

/** What was thrown as a failure, with that reason if there is one; undefined where it is a bug. */
export function failureOfDisk(error: unknown, as?: FailureReason): Failure | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof UnfitFile)
    return failure(as ?? 'declaration-invalid', { detail: error.message, hint: error.hint })
  const reason = as ?? 'file-unusable'
  const { syscall, code = '', path, message } = error as NodeJS.ErrnoException
  if (syscall === undefined || (path === undefined && !(code in TROUBLES))) return undefined
  const owned = isForbidden(code) && path !== undefined ? ownedByOther(path) : undefined
  if (owned !== undefined) {
    const { place, owner, me } = owned
    const detail = `${place} belongs to ${owner}, and this is ${me} (${code})`
    return failure(reason, { detail, hint: `sudo chown -R ${me} ${shellWord(place)} # or run it as ${owner}` })
  }
  const trouble = TROUBLES[code]
  if (trouble === undefined) return failure(reason, { detail: message })
  const hint = trouble.hint?.(shellWord(path === undefined ? '.' : thereIs(path)))
  return failure(reason, { detail: `${path ?? syscall} ${trouble.says} (${code})`, hint })
}

/** Whatever was thrown, as a failure: what the disk says, else a bug with its trace. */
export function failureOfThrown(error: unknown): Failure {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return failureOfDisk(error) ?? failure('bug', { detail })
}

/** Names the file where the system does not: a write and a sync know only its number. */
export function named<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) Object.assign(error as object, { path })
    throw error
  }
}

type Trouble = { says: string; hint?: (place: string) => string }

const FULL = (place: string): string => `df -h ${place} # make room, then run it again`
const FORBIDDEN: Trouble = { says: 'is not for this user to read or write', hint: (place) => `ls -ld ${place}` }

const TROUBLES: Readonly<Record<string, Trouble>> = {
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  ENOSPC: { says: 'can not be written, since the disk is full', hint: FULL },
  EDQUOT: { says: 'can not be written, since the quota of this user is used up', hint: FULL },
  EFBIG: { says: 'can not be written, since it would be larger than a file may be', hint: () => 'ulimit -f unlimited' },
  EROFS: {
    says: 'can not be written, since its file system is read-only',
    hint: (place) => `df ${place} # tells which one`,
  },
  EMFILE: {
    says: 'can not be opened, since this process has too many files open',
    hint: () => 'ulimit -n 4096 # then run it again',
  },
  ENFILE: {
    says: 'can not be opened, since this machine has too many files open',
    hint: () => 'cat /proc/sys/fs/file-nr # how many, and how many may be',
  },
  EIO: { says: 'can not be read or written, since its disk fails', hint: () => 'dmesg | tail' },
  EEXIST: { says: 'is there, and not what is wanted', hint: (place) => `ls -ld ${place}` },
  ENOTDIR: { says: 'lies below something that is no folder', hint: (place) => `ls -ld ${place}` },
  ELOOP: { says: 'is a symbolic link that leads back to itself', hint: (place) => `ls -la ${place}` },
  ENAMETOOLONG: { says: 'has a name that is too long' },
  EISDIR: { says: 'is a folder, and a file is wanted', hint: (place) => `ls -la ${place}` },
}

const isForbidden = (code: string): boolean => code === 'EACCES' || code === 'EPERM'

/** The file, or the folder around it that can be seen. */
function thereIs(path: string): string {
  for (let place = path; ; place = dirname(place)) {
    try {
      statSync(place)
      return place
    } catch {
      if (dirname(place) === place) return place
    }
  }
}

/** The same, where it is somebody else's. */
function ownedByOther(path: string): { place: string; owner: string; me: string } | undefined {
  const own = process.getuid?.()
  const place = thereIs(path)
  const { uid } = statSync(place)
  return own === undefined || uid === own ? undefined : { place, owner: nameOf(uid), me: nameOf(own) }
}

/** Node tells the name of its own user only. */
function nameOf(uid: number): string {
  try {
    if (uid === process.getuid?.()) return userInfo().username
    const line = new RegExp(`^([^:]+):[^:]*:${uid}:`, 'm').exec(readFileSync('/etc/passwd', 'utf8'))
    return line?.[1] ?? `uid ${uid}`
  } catch {
    return `uid ${uid}`
  }
}
