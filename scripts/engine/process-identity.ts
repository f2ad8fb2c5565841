/**
 * Tells a process from a later one with the same pid, and from those of other machines and containers: whoever holds
 * something, a lock file or a Lease, says who it is by this one description.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'

/** Who holds something. Earlier versions wrote less. */
export type Holder = {
  pid: number
  /** when it started: tells it from a later process with the same pid, and on Linux this boot of its machine from others */
  identity: string
  /** the machine, whatever it is called; absent where it has no such id */
  machine?: string
  /** processes are looked for by their pid only within one namespace of pids: a container has its own */
  pidNamespace?: string
  user?: string
  host: string
  command: string
  /** ISO time */
  since: string
}

/** Where a holder is judged from. */
export type Vantage = {
  platform: NodeJS.Platform
  machine: string | undefined
  pidNamespace: string
  /** id of this boot; empty where pids are all that there is */
  boot: string
  /** the identity of the process with that pid; `hidden` where there is one that does not show it */
  look: (pid: number) => string | 'gone' | 'hidden'
}

/** This process, as somebody who holds something. */
export function thisHolder(command: string): Holder {
  const machine = machineId()
  return {
    pid: process.pid,
    identity: processIdentity(process.pid) ?? '',
    ...(machine === undefined ? {} : { machine }),
    pidNamespace: pidNamespace(),
    user: userName(),
    host: hostname(),
    command,
    since: new Date().toISOString(),
  }
}

/**
 * Whether a holder still runs. `unknown` is whoever can not be judged from here: on another machine, in another container,
 * or hidden; a host name proves nothing. A machine's id is believed outside of containers only, which may have a copy.
 */
export function judgeHolder(holder: Holder, from: Vantage = here()): 'alive' | 'gone' | 'unknown' {
  const isHere =
    from.platform === 'linux'
      ? from.boot !== '' && bootOf(holder) === from.boot && holder.pidNamespace === from.pidNamespace
      : from.machine !== undefined && holder.machine === from.machine
  if (isHere) {
    const found = from.look(holder.pid)
    if (found === 'hidden') return 'unknown'
    return found === holder.identity ? 'alive' : 'gone'
  }
  const isEarlierBoot =
    from.platform === 'linux' &&
    from.machine !== undefined &&
    holder.machine === from.machine &&
    [holder.pidNamespace, from.pidNamespace].every((namespace) => namespace?.startsWith(FIRST_NAMESPACE)) &&
    bootOf(holder) !== from.boot
  return isEarlierBoot ? 'gone' : 'unknown'
}

/** Whether both descriptions are of one process. */
export const isSameHolder = (one: Holder, other: Holder): boolean =>
  one.pid === other.pid &&
  one.identity === other.identity &&
  one.pidNamespace === other.pidNamespace &&
  one.machine === other.machine

/** A holder in words. */
export const holderText = ({ command, pid, user, host, since }: Holder): string =>
  `${command} (pid ${pid}${user === undefined ? '' : ` of ${user}`} on ${host}${since === undefined ? '' : `, since ${since}`})`

/** Every Linux gives its first namespace of pids this number (PROC_PID_INIT_INO). */
const FIRST_NAMESPACE = 'pid:[4026531836]'

const bootOf = ({ identity }: Holder): string => identity.split(' ')[0] ?? ''

function here(): Vantage {
  const platform = process.platform
  return {
    platform,
    machine: machineId(),
    pidNamespace: pidNamespace(),
    boot: platform === 'linux' ? bootId() : '',
    look: (pid) => processIdentity(pid) ?? (exists(pid) && !isOver(pid) ? 'hidden' : 'gone'),
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

let machine: { id: string | undefined } | undefined

/** Read once: it outlives every process. */
function machineId(): string | undefined {
  machine ??= { id: readMachineId() }
  return machine.id
}

function readMachineId(): string | undefined {
  if (process.platform === 'darwin') {
    try {
      const said = execFileSync('ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'], { encoding: 'utf8' })
      return /"IOPlatformUUID" = "([^"]+)"/.exec(said)?.[1]
    } catch {
      return undefined
    }
  }
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    try {
      const id = readFileSync(file, 'utf8').trim()
      if (/^[0-9a-f]{32}$/.test(id)) return id
    } catch {
      // a container often has none
    }
  }
  return undefined
}

/** `pid:[4026531836] <id of the machine's boot>`; empty where there is no such thing. */
function pidNamespace(): string {
  try {
    return `${readlinkSync('/proc/self/ns/pid')} ${bootId()}`
  } catch {
    return ''
  }
}

/** A uid without a name is usual in containers. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}`
  }
}

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
  return ticks === undefined ? undefined : `${bootId()} ${ticks}`
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
  const fields = statFields(pid)
  return fields === undefined || isZombie(fields) ? undefined : Number(fields[19])
}

/** Nothing but its exit code is left of the process. */
function isOver(pid: number): boolean {
  const fields = process.platform === 'linux' ? statFields(pid) : undefined
  return fields !== undefined && isZombie(fields)
}

const isZombie = ([state]: readonly string[]): boolean => state === 'Z' || state === 'X'

/** From the state on; undefined where there is no such process, or it is not shown to us. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the name in parentheses and may hold anything
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
