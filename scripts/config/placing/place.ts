import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { onDisk } from '../../disk/on-disk.ts'
import { openRunFolder } from '../../engine/run-folder.ts'
import { type Comparison, comparePlaced } from './compare-placed.ts'
import { type Disk, realDisk } from './disk.ts'
import { fingerprint } from './fingerprint.ts'
import { type PlacedBefore, placedBefore } from './placed-before.ts'
import { type GeneratedFiles, type Places, placingFiles, stagedName } from './places.ts'
import { carryOutPlacing, type PlacingManifest, writeState } from './placing-manifest.ts'

export type PlaceOptions = {
  /** replaces what somebody edited by hand */
  discardEdits: boolean
  disk?: Disk
}

/**
 * Puts a generation in place as one: after a crash at any moment `finishPlacing` makes it the old set or the new one. The
 * caller holds the cluster's lock and has called that before. Writes nothing where all is in place already. Fails with
 * `output-edited`, also when the folder is no longer what was compared, `output-obstructed`, `output-unwritable`, and
 * `output-unfinished` where a part of it is in place.
 */
export function place(
  places: Places,
  generated: GeneratedFiles,
  comparison: Comparison,
  remember: Pick<PlacedBefore, 'caFingerprint' | 'contract'>,
  { discardEdits, disk = realDisk }: PlaceOptions,
): Result<void, Failure[]> {
  const now = comparePlaced(places, generated)
  if (!now.ok) return now
  if (!isDeepStrictEqual(now.value, comparison))
    return {
      ok: false,
      failure: [
        failure('output-edited', { detail: 'generated files were changed while they were compared; run it again' }),
      ],
    }
  const edits = discardEdits ? [] : editFailures(places, comparison)
  if (edits.length > 0) return { ok: false, failure: edits }

  const placed: PlacedBefore = {
    v: 1,
    files: Object.fromEntries([...generated].map(([name, content]) => [name, fingerprint(name, content)])),
    ...remember,
  }
  const before = placedBefore(places)
  if (!before.ok) return { ok: false, failure: [before.failure] }
  const named = (...changes: string[]) => comparison.filter((c) => changes.includes(c.change)).map(({ name }) => name)
  const moves = named('create', 'replace', 'protect')
  const removals = named('prune')
  if (moves.length + removals.length === 0 && isDeepStrictEqual(before.value, placed))
    return { ok: true, value: undefined }

  const { staging, manifest } = placingFiles(places)
  const folder = join(places.stateDir, staging)
  const ready = onDisk(() => {
    openRunFolder(places.stateDir)
    disk.remove(folder)
    disk.makeFolder(folder)
    for (const name of moves) {
      const path = join(folder, stagedName(name))
      disk.create(path, generated.get(name) ?? new Uint8Array())
      disk.sync(path)
    }
    disk.sync(folder)
    disk.sync(places.stateDir)
    const todo: PlacingManifest = { v: 1, staging, moves, removals, placed }
    writeState(manifest, todo, disk)
    return todo
  }, 'output-unwritable')
  if (!ready.ok) {
    // a manifest whose files are gone would be carried out in vain, so it goes first, and for certain
    onDisk(() => {
      disk.remove(manifest)
      disk.sync(places.stateDir)
      disk.remove(folder)
    }, 'output-unwritable')
    return { ok: false, failure: [ready.failure] }
  }
  const done = onDisk(() => carryOutPlacing(places, ready.value, disk), 'output-unfinished')
  return done.ok
    ? done
    : { ok: false, failure: [{ ...done.failure, hint: 'the next command that can write finishes it' }] }
}

/** What somebody did by hand and placing would undo. */
export const editFailures = (places: Places, comparison: Comparison): Failure[] =>
  comparison.filter(({ edited }) => edited !== undefined).map((file) => editedFailure(places, file))

const editedFailure = ({ outDir }: Places, { name, edited, change }: Comparison[number]): Failure =>
  failure('output-edited', {
    detail: `${join(outDir, name)} ${edited === 'foreign' ? 'was not generated' : 'was edited by hand'} and would be ${change === 'prune' ? 'removed' : 'replaced'}`,
    hint: 'declare what was edited, or give --discard-edits',
  })
