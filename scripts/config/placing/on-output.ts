import type { Result } from '../../../workflows/model/failure.ts'
import { onDisk } from '../../disk/on-disk.ts'

/** Carries out what reads or writes generated files. A disk that is full, read-only or gone is a failure and no bug. */
export const onOutput = <T>(work: () => T): Result<T> => onDisk(work, 'output-unwritable')
