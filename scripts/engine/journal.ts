/**
 * What a run means to do, has done, and can not read from the world again: one JSON line a record, each fsynced before
 * anything goes on. A torn last line is dropped, because whatever it would have announced was never started.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Failure } from '../../workflows/model/failure.ts'

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

/** The records of a journal file without opening it for writing; a torn or missing file yields what is whole. */
export function readJournal(file: string): { records: JournalRecord[]; bytes: number } {
  if (!existsSync(file)) return { records: [], bytes: 0 }
  const content = readFileSync(file)
  const records: JournalRecord[] = []
  let bytes = 0
  for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, bytes)) {
    try {
      records.push(JSON.parse(content.toString('utf8', bytes, end)) as JournalRecord)
    } catch {
      break
    }
    bytes = end + 1
  }
  return { records, bytes }
}

/** Opens a journal for appending, new or found; a torn end is cut off first. */
export function openJournal(file: string): Journal {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const { records, bytes } = readJournal(file)
  const fd = openSync(file, existsSync(file) ? 'r+' : 'wx+', 0o600)
  ftruncateSync(fd, bytes)
  syncFolder(dirname(file))
  let position = bytes
  return {
    records,
    append(record) {
      const line = Buffer.from(`${JSON.stringify(record)}\n`)
      // a disk that fills up takes what fits and complains only at the next write
      for (let written = 0; written < line.length; ) {
        written += writeSync(fd, line, written, line.length - written, position + written)
      }
      fsyncSync(fd)
      position += line.length
      records.push(record)
    },
    close: () => closeSync(fd),
  }
}

/** A new file survives a power cut only when its folder was synced as well. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
