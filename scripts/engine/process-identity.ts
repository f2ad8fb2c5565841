/** Tells a process from a later one with the same pid. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** clock ticks a second in /proc/<pid>/stat: 100 on every Linux that runs Node */
const TICKS = 100

/** When the process with that pid started, in milliseconds since 1970; undefined when there is none. */
export function processStartedAt(pid: number): number | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  if (process.platform === 'linux') return linuxStart(pid)
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', PATH: process.env.PATH },
    })
    return Date.parse(text.trim()) || undefined
  } catch {
    return undefined
  }
}

function linuxStart(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const bootedAt = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]) * 1000
    return bootedAt + (Number(fields[19]) * 1000) / TICKS
  } catch {
    return undefined
  }
}
