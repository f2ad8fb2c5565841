import { readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { failure, type Result } from '../../workflows/model/failure.ts'

/** Carries out what writes to disk. A disk that is full, read-only or gone is `journal-unwritable` and no bug. */
export function onDisk<T>(write: () => T): Result<T> {
  try {
    return { ok: true, value: write() }
  } catch (error) {
    const { syscall, message, code, path } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    const owned = (code === 'EACCES' || code === 'EPERM') && path !== undefined ? ownedByOther(path) : undefined
    if (owned === undefined) return { ok: false, failure: failure('journal-unwritable', { detail: message }) }
    const { place, owner, me } = owned
    const detail = `${place} belongs to ${owner}, and this is ${me} (${code})`
    const hint = `run it as ${owner}, or: sudo chown -R ${me} ${place}`
    return { ok: false, failure: failure('journal-unwritable', { detail, hint }) }
  }
}

/** The file, or the folder around it that can be seen, where it is somebody else's. */
function ownedByOther(path: string): { place: string; owner: string; me: string } | undefined {
  const own = process.getuid?.()
  for (let place = path; ; place = dirname(place)) {
    try {
      const { uid } = statSync(place)
      return own === undefined || uid === own ? undefined : { place, owner: nameOf(uid), me: nameOf(own) }
    } catch {
      if (dirname(place) === place) return undefined
    }
  }
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
