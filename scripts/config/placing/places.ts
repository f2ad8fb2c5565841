import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { processIdentity } from '../../engine/process-identity.ts'

/** Where generated files go (`clusters/cluster-101`), and where placing keeps its own: `.run`, on the same file system. */
export type Places = { outDir: string; stateDir: string }

/** Everything that generation makes, by path below `outDir`; contents stay in memory. */
export type GeneratedFiles = ReadonlyMap<string, Uint8Array>

/** A name of placing's own in `.run`. */
const STAGING = /^staging\.(\d+)\.([0-9a-f]{8})$/

const mark = (identity: string): string => createHash('sha256').update(identity).digest('hex').slice(0, 8)

/** What placing keeps in `.run`. */
export const placingFiles = ({ stateDir }: Places) => ({
  /** this process' own folder for files that are not in place yet */
  staging: `staging.${process.pid}.${mark(processIdentity(process.pid) ?? '')}`,
  /** there from before the first rename until after the last: what is to be done */
  manifest: join(stateDir, 'placing.json'),
  /** what the last placing put in place */
  placed: join(stateDir, 'placed.json'),
})

/** What a file is called in a staging folder, which has no folders in it. */
export const stagedName = (name: string): string => encodeURIComponent(name)

/** Whether `name` is a staging folder whose process is gone, so that nobody will ever place what is in it. */
export function isAbandonedStaging(name: string): boolean {
  const [, pid, whose] = STAGING.exec(name) ?? []
  if (pid === undefined) return false
  const identity = processIdentity(Number(pid))
  return identity === undefined || mark(identity) !== whose
}
