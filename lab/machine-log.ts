import { type InstallLine, type InstallSaying, installLine, plain, plainTime } from './install-log.ts'
import type { NodeEvent } from './lab-node.ts'
import { LogRing } from './log-ring.ts'

/** A call of the Talos API, as machined's middleware logs it. */
type LoggedCall = { method: string; endpoint: string; roles: readonly string[]; code: string }

/** machined's log and the kernel's since the boot. */
export class MachineLog {
  readonly #now: () => Date
  readonly #tell: (event: NodeEvent) => void
  #release = ''
  #machined = new LogRing()
  #dmesg: string[] = []

  constructor(options: { now: () => Date; tell: (event: NodeEvent) => void }) {
    this.#now = options.now
    this.#tell = options.tell
  }

  lines(name: 'machined' | 'dmesg'): readonly string[] {
    return name === 'machined' ? this.#machined.lines() : this.#dmesg
  }

  /** Both logs begin anew, as `release` boots. */
  begin(release: string): void {
    this.#release = release
    this.#machined = new LogRing()
    this.#dmesg = []
    this.#kernel('kern:  notice', 'Linux version 6.18.0-talos')
    this.#kernel('user: warning', `[talos] [initramfs] booting Talos ${release}`)
    this.say('machined logger initialized')
  }

  /** A line of machined's plain logger. */
  say(text: string): void {
    this.#write(plain(text, this.#now()))
  }

  /** What an installation over LifecycleService tells. */
  installation(saying: InstallSaying): void {
    this.#write(installLine(this.#release, saying, this.#now()))
  }

  /** Each call leaves three lines in machined's log, some 600 bytes: they push the older ones out. */
  call({ method, endpoint, roles, code }: LoggedCall): void {
    const at = plainTime(this.#now())
    const held = roles.join(' ')
    const said = code === 'OK' ? 'Success' : `rpc error: code = ${code}`
    const metadata = [
      `:authority=${endpoint}:50000`,
      'content-type=application/grpc',
      'grpc-accept-encoding=gzip',
      `node=${endpoint}`,
      `nodes=${endpoint}`,
      `proxyfrom=${endpoint}`,
      `talos-role=${roles.join(',')}`,
      'user-agent=grpc-go/1.80.0',
      'x-forwarded-for=pipe',
      'x-forwarded-host=/system/run/machined/machine.sock',
    ]
    this.#machinedLine(
      `machined/authz/unix/authorizer ${at} authorized ([os:admin] for apid, client cgroup /system/apid)`,
    )
    this.#machinedLine(
      `machined/authz/authorizer ${at} authorized ([os:admin os:operator os:reader] includes [${held}])`,
    )
    this.#machinedLine(`machined ${at} ${code} [${method}] 1.203514ms unary ${said} (${metadata.join(';')})`)
  }

  #write({ machined, kernel }: InstallLine): void {
    this.#machinedLine(machined)
    if (kernel !== undefined) this.#kernel('user: warning', kernel)
  }

  #machinedLine(line: string): void {
    this.#machined.append(line)
    this.#tell({ type: 'machined-log', line })
  }

  #kernel(facility: string, text: string): void {
    const line = `${facility}: [${this.#now().toISOString()}]: ${text}`
    this.#dmesg.push(line)
    this.#tell({ type: 'dmesg', line })
  }
}
