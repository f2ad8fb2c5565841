/** What a file says of a command that was started, so that another process can tell whether that very command still runs. */
import { readFileSync, statSync } from 'node:fs'
import { processIdentity, processStartedAt } from './process-identity.ts'

/** The text of the file: the pid, and what no later process with the same pid has. */
export const processNote = (pid: number): string => `${pid}\n${processIdentity(pid) ?? 'ended'}\n`

/** The pid in the file, if that very process still runs; without a file nothing was started. Throws what the disk says. */
export function notedProcess(file: string): number | undefined {
  const [first = '', identity] = noteIn(file).split('\n')
  const pid = Number(first)
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  const isTheSame = identity ? processIdentity(pid) === identity : startedWhenNoted(file, pid)
  return isTheSame ? pid : undefined
}

function noteIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** Earlier versions noted the pid alone: the file is as old as the process, as far as the clock stood still meanwhile. */
function startedWhenNoted(file: string, pid: number): boolean {
  const startedAt = processStartedAt(pid)
  const noted = statSync(file, { throwIfNoEntry: false })
  return startedAt !== undefined && noted !== undefined && Math.abs(noted.mtimeMs - startedAt) < 3_000
}
