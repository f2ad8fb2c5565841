import { failure, type Result } from '../../workflows/model/failure.ts'

/** Carries out what writes to disk. A disk that is full, read-only or gone is `journal-unwritable` and no bug. */
export function onDisk<T>(write: () => T): Result<T> {
  try {
    return { ok: true, value: write() }
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    return { ok: false, failure: failure('journal-unwritable', { detail: message }) }
  }
}
