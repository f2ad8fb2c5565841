import { existsSync, readdirSync, statSync } from 'node:fs'
import type { Failure } from '../../workflows/model/failure.ts'
import type { Layout } from '../declaration/layout.ts'
import { onDisk } from '../disk/on-disk.ts'
import { acquireLock } from '../engine/lock.ts'
import { runFolder } from '../engine/run-folder.ts'
import { isAbandonedStaging, type Places, placingFiles } from './placing/places.ts'
import { settlePlacing } from './placing/settle-placing.ts'

/** A list of what is left to do, or plain configurations that nobody will put in place any more. */
const isUnsettled = (places: Places): boolean =>
  // what is no folder at all is for the command to complain about
  (statSync(places.stateDir, { throwIfNoEntry: false })?.isDirectory() ?? false) &&
  (existsSync(placingFiles(places).manifest) || readdirSync(places.stateDir).some(isAbandonedStaging))

/**
 * Before a command reads what was generated: finishes a placing that a crash cut off, so that all of it is of one
 * generation. Whoever holds the lock is about to do so, or still placing.
 */
export function settleFirst({ folder }: Layout): Failure | undefined {
  const places = { outDir: folder, stateDir: runFolder(folder) }
  const unsettled = onDisk(() => isUnsettled(places), 'output-unwritable')
  if (!unsettled.ok) return unsettled.failure
  if (!unsettled.value) return undefined
  const asked = onDisk(() => acquireLock(places.stateDir, 'finishing what gen-config began'))
  if (!asked.ok) return asked.failure
  if (!asked.value.ok) return asked.value.failure
  try {
    const settled = settlePlacing(places)
    return settled.ok ? undefined : settled.failure
  } finally {
    const { lock } = asked.value
    onDisk(() => lock.release())
  }
}
