import { existsSync, readdirSync, statSync } from 'node:fs'
import type { Failure } from '../../workflows/model/failure.ts'
import type { Layout } from '../declaration/layout.ts'
import { onDisk } from '../disk/on-disk.ts'
import { acquireLock } from '../engine/lock.ts'
import { runFolder } from '../engine/run-folder.ts'
import { finishPlacing } from './placing/finish-placing.ts'
import { isAbandonedStaging, type Places, placingFiles } from './placing/places.ts'

/** A list of what is left to do, or plain configurations that nobody will put in place any more. */
const isCutOff = (places: Places): boolean =>
  // what is no folder at all is for the command to complain about
  (statSync(places.stateDir, { throwIfNoEntry: false })?.isDirectory() ?? false) &&
  (existsSync(placingFiles(places).manifest) || readdirSync(places.stateDir).some(isAbandonedStaging))

/**
 * Before a command reads what was generated: finishes a placing that a crash cut off, so that all of it is of one
 * generation. Whoever holds the lock is about to do so, or still placing.
 */
export function finishPlacingFirst({ folder }: Layout): Failure | undefined {
  const places = { outDir: folder, stateDir: runFolder(folder) }
  const cutOff = onDisk(() => isCutOff(places), 'output-unwritable')
  if (!cutOff.ok) return cutOff.failure
  if (!cutOff.value) return undefined
  const asked = onDisk(() => acquireLock(places.stateDir, 'finishing what gen-config began'))
  if (!asked.ok) return asked.failure
  if (!asked.value.ok) return asked.value.failure
  try {
    const finished = finishPlacing(places)
    return finished.ok ? undefined : finished.failure
  } finally {
    const { lock } = asked.value
    onDisk(() => lock.release())
  }
}
