/** Tells a process from a later one with the same pid. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** clock ticks a second in /proc/<pid>/stat: 100 on every Linux that runs Node */
const TICKS = 100

/**
 * What no other process has had or will have; undefined when there is none with that pid. On Linux it holds no time of
 * day: a clock that is set while a run goes on (NTP after a boot, a virtual machine that wakes up) changes no identity.
 */
export function processIdentity(pid: number): string | undefined {
  if (!exists(pid)) return undefined
  if (process.platform !== 'linux') return psStart(pid)?.toString()
  const ticks = linuxTicks(pid)
  return ticks === undefined ? undefined : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`
}

/** When the process with that pid started, in milliseconds since 1970; undefined when there is none. */
export function processStartedAt(pid: number): number | undefined {
  if (!exists(pid)) return undefined
  if (process.platform !== 'linux') return psStart(pid)
  const ticks = linuxTicks(pid)
  const bootedAt = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]) * 1000
  return ticks === undefined ? undefined : bootedAt + (ticks * 1000) / TICKS
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function psStart(pid: number): number | undefined {
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

/** Since the computer booted. */
function linuxTicks(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the name in parentheses and may hold anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19])
  } catch {
    return undefined
  }
}
