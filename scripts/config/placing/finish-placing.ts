import { join } from 'node:path'
import type { Result } from '../../../workflows/model/failure.ts'
import { namesIn } from '../../disk/names-in.ts'
import { onDisk } from '../../disk/on-disk.ts'
import { processIdentity } from '../../engine/process-identity.ts'
import { type Disk, realDisk } from './disk.ts'
import { readState } from './placed-before.ts'
import { isAbandonedStaging, type Places, placingFiles } from './places.ts'
import { carryOutPlacing, placingManifest } from './placing-manifest.ts'

const DRAFT = /^(placing|placed)\.json\.(\d+)\.draft$/

/**
 * First thing that every command which reads the folder does: finishes a placing that was cut off after its manifest was
 * on disk, and undoes one that was cut off before. Writes nothing where neither happened. Fails with `output-unwritable` and `output-unfinished`.
 */
export function finishPlacing(
  places: Places,
  { disk = realDisk }: { disk?: Disk } = {},
): Result<'nothing' | 'finished' | 'undone'> {
  const manifest = readState(placingFiles(places).manifest, placingManifest)
  if (!manifest.ok) return manifest
  return onDisk(() => {
    const { value } = manifest
    if (value !== undefined) carryOutPlacing(places, value, disk)
    const leftovers = namesIn(places.stateDir).filter((name) => isAbandonedStaging(name) || isAbandonedDraft(name))
    for (const name of leftovers) disk.remove(join(places.stateDir, name))
    if (value !== undefined) return 'finished'
    return leftovers.length > 0 ? 'undone' : 'nothing'
  }, 'output-unfinished')
}

const isAbandonedDraft = (name: string): boolean => {
  const [, , pid] = DRAFT.exec(name) ?? []
  return pid !== undefined && processIdentity(Number(pid)) === undefined
}
