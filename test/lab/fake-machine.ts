import { etcdOf } from '../../lab/etcd-member.ts'
import { FaultBoard } from '../../lab/fault-board.ts'
import type { LoggedEvent } from '../../lab/lab-event.ts'
import type { NodeEvent } from '../../lab/lab-node.ts'
import { LabLog } from '../../lab/log.ts'
import { Machine, type MachineEtcd, type MachineOptions } from '../../lab/machine.ts'
import { defaultTimings } from '../../lab/timings.ts'
import { type FakeClock, fakeClock } from './fake-clock.ts'

const schematic = 'a'.repeat(64)
export const image = (version: string, name = 'metal-installer') => `factory.talos.dev/${name}/${schematic}:${version}`

/** An etcd member without a process: what the machine told it. */
class FakeEtcd {
  pid: number | undefined
  healthy = false
  lagging = false
  objection: string | undefined
  calls: string[] = []
  readonly #listeners = new Set<() => void>()

  on(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  start(talosVersion: string): void {
    if (this.pid !== undefined) return
    this.calls.push(`start ${etcdOf(talosVersion)}`)
    this.pid = 1
    this.healthy = true
    this.tell()
  }
  async stop(signal: string, by: string): Promise<void> {
    if (this.pid === undefined) return
    this.calls.push(`stop ${signal} ${by}`)
    this.crash()
  }
  crash(): void {
    this.pid = undefined
    this.healthy = false
    this.tell()
  }
  tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
  setLagging(lagging: boolean): void {
    this.lagging = lagging
  }
  hideAlarms(): void {}
  async raiseAlarm(): Promise<void> {
    this.calls.push('raise alarm')
  }
  async disarmAlarms(): Promise<[]> {
    this.calls.push('disarm')
    return []
  }
  async addLearner(): Promise<void> {
    this.calls.push('add learner')
  }
  async removeLearner(): Promise<void> {
    this.calls.push('remove learner')
  }
  async objectionToUpgrade(): Promise<string | undefined> {
    return this.objection
  }
}

export type FakeMachine = {
  machine: Machine
  clock: FakeClock
  faults: FaultBoard
  etcd: FakeEtcd
  log: LoggedEvent[]
  seen: NodeEvent[]
  /** types of the log's events so far, without the calls */
  types(): string[]
}

/** A running, ready machine k8s-1 on v1.13.5 (or what `options` say) whose time stands still. */
export async function fakeMachine(options: Partial<MachineOptions> = {}): Promise<FakeMachine> {
  const clock = fakeClock()
  const labLog = new LabLog({ now: () => clock.now() })
  const log: LoggedEvent[] = []
  labLog.on((event) => log.push(event))
  const role = options.role ?? 'controlplane'
  const faults = new FaultBoard({ log: labLog, nodes: new Map([['k8s-1', role]]), kubernetes: true })
  const etcd = new FakeEtcd()
  const machine = new Machine({
    name: 'k8s-1',
    address: '127.0.0.11',
    version: 'v1.13.5',
    schematic,
    kubernetesVersion: 'v1.36.1',
    platform: 'metal',
    secureBoot: false,
    disks: [],
    machineConfig: '',
    schematics: { [schematic]: ['siderolabs/iscsi-tools'] },
    timings: defaultTimings,
    ...options,
    ...{ clock, faults, role, log: labLog },
    // the parts of LabEtcd that a machine never calls are not there
    ...(role === 'controlplane' ? { etcd: etcd as unknown as MachineEtcd } : {}),
  })
  const seen: NodeEvent[] = []
  machine.on((event) => seen.push(event))
  machine.start()
  await clock.pass(0)
  log.length = 0
  return { machine, clock, faults, etcd, log, seen, types: () => log.map(({ type }) => type) }
}

/** Pulls an image, letting the time pass that it takes. */
export async function pull(fake: FakeMachine, name: string): Promise<void> {
  const pulled = fake.machine.pullImage(name, new AbortController().signal)
  pulled.catch(() => undefined)
  await fake.clock.pass(defaultTimings.pullSeconds)
  await pulled
}

/** Starts an installation of a pulled image; what it resolves to comes when enough time has passed. */
export function beginInstall(fake: FakeMachine, name: string, signal = new AbortController().signal) {
  const lines: string[] = []
  const ended = (async () => {
    for await (const line of fake.machine.install(name, signal)) {
      if ('exitCode' in line) return { exitCode: line.exitCode, lines }
      lines.push(line.message)
    }
    throw new Error('the installer ended without an exit code')
  })()
  // whether it fails is for the one who awaits it
  ended.catch(() => undefined)
  return { lines, ended }
}

/** Pulls and installs; resolves to the installer's lines and exit code. */
export async function installTo(fake: FakeMachine, name: string) {
  await pull(fake, name)
  const { ended } = beginInstall(fake, name)
  await fake.clock.pass(defaultTimings.installSeconds)
  return ended
}

/** Asks for a reboot and lets the time of a whole one pass. */
export async function rebootOnce(fake: FakeMachine, mode: 'DEFAULT' | 'POWERCYCLE' | 'FORCE' = 'DEFAULT') {
  await fake.machine.reboot(mode)
  const { stopSeconds, rebootSeconds, readySeconds } = defaultTimings
  await fake.clock.pass(stopSeconds + rebootSeconds + readySeconds)
}
