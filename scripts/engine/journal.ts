/**
 * What a run means to do, has done, and can not read from the world again: one JSON line a record, each fsynced before
 * anything goes on. A torn last line is dropped, because whatever it would have announced was never started.
 */
import { closeSync, constants, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Failure, failure } from '../../workflows/model/failure.ts'
import { failureOfDisk, named } from '../disk/on-disk.ts'
import { syncToDisk } from '../disk/sync-to-disk.ts'
import { redactValue } from '../view/redact.ts'

export type JournalRecord =
  | {
      type: 'run'
      v: 1
      run: string
      /** version of this program; the first ones did not tell */
      product?: string
      command: string
      cluster: string
      at: string
      inputs: string
      plan: unknown
      again: string
      /** which cluster it was, whatever its name */
      identity: string
    }
  /** a later process took the run up again, or the same one slept: what was found before has expired */
  | { type: 'resumed'; at: string; pid: number; slept?: true }
  | { type: 'intent'; path: string; step: string; node?: string; at: string; processFile: string; bootId?: string }
  /** the step whose intent that was is left, and has asked nothing */
  | { type: 'unasked'; path: string; node?: string; at: string }
  /** the other slot is written from here on, under that boot, whatever becomes of it */
  | { type: 'installing'; node: string; bootId: string; image: string; at: string; configuration?: string }
  | { type: 'outcome'; path: string; at: string; tookMs: number; ok: true; output?: unknown }
  | { type: 'outcome'; path: string; at: string; tookMs: number; ok: false; failure: Failure }
  | { type: 'end'; at: string; how: 'finished' | 'abandoned'; exitCode?: number; state?: string }

export interface Journal {
  readonly records: readonly JournalRecord[]
  /** Returns when the record is on disk; throws when it can not be written. */
  append(record: JournalRecord): void
  close(): void
}

/**
 * The records of a journal file without opening it for writing; a missing file has none, and a torn end is left out.
 * Throws what the disk says, and `DamagedJournal` where a whole line is no record: no crash leaves that, but for a hole in the
 * last one.
 */
export function readJournal(file: string): { records: JournalRecord[]; bytes: number; torn: string } {
  const content = contentOf(file)
  const records: JournalRecord[] = []
  let bytes = 0
  for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, bytes)) {
    const record = recordIn(content.toString('utf8', bytes, end))
    if (record === undefined) {
      // a power cut may leave a hole in the last line, which nobody saw written to its end
      if (end + 1 < content.length || !content.subarray(bytes).includes(0))
        throw new DamagedJournal(file, records.length + 1)
      break
    }
    records.push(record)
    bytes = end + 1
  }
  return { records, bytes, torn: content.toString('utf8', bytes) }
}

/** Somebody or something wrote over a record of a journal: what it told is lost. */
export class DamagedJournal extends Error {
  readonly file: string
  constructor(file: string, line: number) {
    super(`${file} is damaged in line ${line}`)
    this.file = file
  }
}

function contentOf(file: string): Buffer {
  try {
    return named(file, () => readFileSync(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function recordIn(line: string): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'type' in value ? (value as JournalRecord) : undefined
  } catch {
    return undefined
  }
}

/** Appends, and says why not where it can not be written: then nothing may start that the record was to tell of. */
export function appendTo(journal: Pick<Journal, 'append'>, record: JournalRecord): Failure | undefined {
  try {
    journal.append(record)
    return undefined
  } catch (error) {
    return (
      failureOfDisk(error, 'journal-unwritable') ?? failure('journal-unwritable', { detail: (error as Error).message })
    )
  }
}

/** Opens a journal for appending, new or found, in a folder that is there; a torn end is cut off first. */
export function openJournal(file: string): Journal {
  const { records, bytes } = readJournal(file)
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
  named(file, () => ftruncateSync(fd, bytes))
  // a new file survives a power cut only when its folder was synced as well
  syncToDisk(dirname(file))
  let position = bytes
  return {
    records,
    append(record) {
      // what a tool said may stand in a failure
      const line = Buffer.from(`${JSON.stringify(record, redactValue)}\n`)
      named(file, () => {
        // a disk that fills up takes what fits and complains only at the next write
        for (let written = 0; written < line.length; ) {
          written += writeSync(fd, line, written, line.length - written, position + written)
        }
        fsyncSync(fd)
      })
      position += line.length
      records.push(record)
    },
    close: () => closeSync(fd),
  }
}
