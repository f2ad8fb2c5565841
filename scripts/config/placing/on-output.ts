import { failure, type Result } from '../../../workflows/model/failure.ts'

/** Carries out what reads or writes generated files. A disk that is full, read-only or gone is a failure and no bug. */
export function onOutput<T>(work: () => T): Result<T> {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    return { ok: false, failure: failure('output-unwritable', { detail: message }) }
  }
}
