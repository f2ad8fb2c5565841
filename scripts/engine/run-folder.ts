/** Where the runs of a cluster leave their traces: `.run/<run-id>/{journal.ndjson,report.json,processes}`. */
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { type Remembered, recollect } from '../../workflows/plan/memory.ts'
import { shellWord } from '../cli/shell-word.ts'
import { makeFolder } from '../disk/make-folder.ts'
import { namesIn } from '../disk/names-in.ts'
import { failureOfDisk } from '../disk/on-disk.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { DamagedJournal, type JournalRecord, readJournal } from './journal.ts'

export type RunPaths = { run: string; folder: string; journal: string; report: string; processes: string }

type RunRecord = JournalRecord & { type: 'run' }

/** A run whose journal has a beginning and no end. */
export type UnfinishedRun = { paths: RunPaths; record: RunRecord; records: readonly JournalRecord[] }

const KEPT = 20

/** Where everything is that a cluster's runs leave behind. */
export const runFolder = (clusterFolder: string): string => join(clusterFolder, '.run')

/**
 * Makes the folder that holds everything that must not reach git; it says so itself, before anything else is in it. Nobody
 * else makes it. Returns the path of `name` in it, a folder that is made as well.
 */
export function openRunFolder(folder: string, name = ''): string {
  makeFolder(folder, 0o700)
  const ignore = join(folder, '.gitignore')
  // one that a full disk or a kill left empty is none
  if (!holds(ignore, EVERYTHING)) replaceFile(ignore, EVERYTHING, 0o644)
  const path = join(folder, name)
  makeFolder(path, 0o700)
  return path
}

/** what git leaves out */
const EVERYTHING = '*\n'

function holds(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8') === text
  } catch {
    return false
  }
}

const pathsOf = (folder: string, run: string): RunPaths => ({
  run,
  folder: join(folder, run),
  journal: join(folder, run, 'journal.ndjson'),
  report: join(folder, run, 'report.json'),
  processes: join(folder, run, 'processes'),
})

/** A new run; its name sorts by time. */
export function newRun(folder: string, command: string, now: Date): RunPaths {
  const time = now.toISOString().slice(0, 19).replaceAll(':', '-')
  const paths = pathsOf(folder, `${time}Z-${command}-${randomBytes(2).toString('hex')}`)
  openRunFolder(folder, join(paths.run, 'processes'))
  return paths
}

/** Whether a run of that name was begun in this folder, and its record is still there. */
export const hasRun = (folder: string, run: string): boolean => runNames(folder).includes(run)

/** The runs that were begun in this folder, earliest first; none where it is not there. */
export const runNames = (folder: string): string[] =>
  namesIn(folder)
    .filter((name) => /^\d{4}-\d{2}-\d{2}T/.test(name))
    .sort()

/**
 * Carries out what reads what earlier runs left. Where that can not be read it is not known what they began, which is not
 * the same as nothing.
 */
export function fromMemory<T>(read: () => T): Result<T> {
  try {
    return { ok: true, value: read() }
  } catch (error) {
    const unread = failureOfMemory(error)
    if (unread === undefined) throw error
    return { ok: false, failure: unread }
  }
}

function failureOfMemory(error: unknown): Failure | undefined {
  const unknown = 'what earlier runs began is not known'
  if (error instanceof DamagedJournal) {
    const hint = `rm -r ${shellWord(dirname(error.file))} # forgets that run: only where every node was booted since`
    return failure('memory-unreadable', { detail: `${error.message}, so ${unknown}`, hint })
  }
  const unread = failureOfDisk(error, 'memory-unreadable')
  return unread && { ...unread, detail: `${unread.detail}, so ${unknown}` }
}

/**
 * The records of a run, none where it was begun no further than its folder; throws where they do not begin as a run does. What
 * a run is comes first, and nothing is begun before that is on disk.
 */
function recordsOf({ journal }: RunPaths): JournalRecord[] {
  const { records, torn } = readJournal(journal)
  const begins = records.length > 0 ? records[0]?.type === 'run' : isTornBeginning(torn)
  if (!begins) throw new DamagedJournal(journal, 1)
  return records
}

const BEGINNING = '{"type":"run",'

const isTornBeginning = (torn: string): boolean =>
  BEGINNING.startsWith(torn.slice(0, BEGINNING.length)) && !torn.includes('"type":"intent"')

/** All of them: a clock that was set back gives a later run an earlier name. */
export function findUnfinishedRuns(folder: string): UnfinishedRun[] {
  return runNames(folder).flatMap((name) => {
    const paths = pathsOf(folder, name)
    const records = recordsOf(paths)
    const [first] = records
    if (first?.type !== 'run' || records.some((r) => r.type === 'end')) return []
    return [{ paths, record: first, records }]
  })
}

/** What the kept journals of this very cluster remember that no node tells, and the runs that it comes from. */
export function recall(folder: string, identity: string): Remembered {
  const runs = runNames(folder).map((run) => ({ run, records: recordsOf(pathsOf(folder, run)) }))
  return recollect(runs, identity)
}

/** Lets go of old runs, but of none that something is still remembered from, and of none that has not ended. */
export function prune(folder: string, identity: string): void {
  const { sources } = recall(folder, identity)
  const unfinished = new Set(findUnfinishedRuns(folder).map(({ paths }) => paths.run))
  for (const name of runNames(folder).slice(0, -KEPT)) {
    if (!sources.has(name) && !unfinished.has(name)) rmSync(join(folder, name), { recursive: true, force: true })
  }
}
