import { createHash, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import semver from 'semver'
import { type BootSlots, beginInstall, bootFrom, finishInstall, freshSlots, otherSlot } from './boot-slots.ts'
import type { Clock } from './clock.ts'
import { preflightObjection } from './compatibility.ts'
import type { EtcdMember } from './etcd-member.ts'
import type { Fault, FaultBoard } from './fault-board.ts'
import type { FaultName } from './fault-catalogue.ts'
import { parseInstallerImage } from './installer-image.ts'
import type { MachineKubelet } from './kubernetes/kubernetes.ts'
import {
  ApiError,
  type Disk,
  type Entrance,
  type ImageRule,
  type LabEtcd,
  type LabNode,
  type NodeEvent,
  type NodeState,
  type Reachability,
  type Service,
  type Stage,
} from './lab-node.ts'
import type { LabLog } from './log.ts'
import { configObjection, withSomebodysChange } from './machine-config.ts'
import { MachineLog } from './machine-log.ts'
import type { Timings } from './timings.ts'

/** What a machine needs of its etcd member: the calls of the API, and control over the process. */
export type MachineEtcd = LabEtcd &
  Pick<
    EtcdMember,
    | 'pid'
    | 'healthy'
    | 'on'
    | 'start'
    | 'stop'
    | 'setLagging'
    | 'hideAlarms'
    | 'raiseAlarm'
    | 'addLearner'
    | 'removeLearner'
    | 'objectionToUpgrade'
  >

/** What a machine is made of. */
export type MachineOptions = {
  name: string
  address: string
  role: 'controlplane' | 'worker'
  version: string
  schematic: string
  kubernetesVersion: string
  platform: string
  secureBoot: boolean
  disks: readonly Disk[]
  machineConfig: string
  /** schematic id → the extensions in it; an image of any other schematic is in no registry */
  schematics: Readonly<Record<string, readonly string[]>>
  timings: Timings
  clock: Clock
  faults: FaultBoard
  log: LabLog
  etcd?: MachineEtcd
  /** what makes the machine a node of a Kubernetes; without it, it counts as one that is ready by itself */
  kubernetes?: { kubelet: MachineKubelet; kubeconfig(): Promise<string> }
}

type Sequence = 'boot' | 'reboot' | 'upgrade' | 'stageUpgrade'
type InstallerOutput = { message: string } | { exitCode: number }

/** Talos numbers them as they stand in its configuration. */
const denyingRule: ImageRule = { id: '0000', imagePattern: 'factory.talos.dev/**', skip: false, deny: true }

const connectionLost = () => new ApiError('UNAVAILABLE', 'error reading from server: EOF')

/** A simulated Talos machine: boot slots, stages, services, logs, and the time that everything takes. */
export class Machine implements LabNode {
  readonly name: string
  readonly address: string
  readonly role: 'controlplane' | 'worker'
  readonly etcd: MachineEtcd | undefined
  readonly #options: MachineOptions
  readonly #listeners = new Set<(event: NodeEvent) => void>()
  readonly #images: { name: string; digest: string; sizeBytes: number; createdAt: Date }[] = []
  readonly #halt = new AbortController()
  /** aborted when the machine has no power any more; a new one for each time that it comes back */
  #power = new AbortController()
  #powerCut = false
  /** aborted when what runs now ends: a boot, an installation, a pull; each boot has its own */
  #life = new AbortController()
  #slots: BootSlots
  #stage: Stage = 'booting'
  #sequence: Sequence | undefined
  #up = false
  #silent = false
  /** the services that an upgrade or a reboot stops first */
  #servicesRun = false
  #nodeReady = false
  #reportedReady = false
  #installing = false
  #staged: string | undefined
  #config: { active: string; persistent: string }
  #fallBackTo: 'A' | 'B' | undefined
  #hostname: string
  #bootId: string = randomUUID()
  #bootedAt: Date
  readonly #journal: MachineLog

  constructor(options: MachineOptions) {
    this.#options = options
    this.name = options.name
    this.#hostname = options.name
    this.address = options.address
    this.role = options.role
    this.etcd = options.etcd
    this.#bootedAt = options.clock.now()
    this.#config = { active: options.machineConfig, persistent: options.machineConfig }
    this.#journal = new MachineLog({ now: () => options.clock.now(), tell: (event) => this.#emit(event) })
    this.#slots = freshSlots({
      version: options.version,
      schematic: options.schematic,
      extensions: options.schematics[options.schematic] ?? [],
    })
    options.faults.on((change, fault) => {
      if (fault.node !== this.name) return undefined
      return change === 'in force' ? this.#suffer(fault) : this.#recover(fault)
    })
    options.etcd?.on(() => this.#etcdChanged())
  }

  /** Powers the machine on as one that has been running for long: only etcd takes its time. */
  start(): void {
    this.#detach((power) => this.#boot({ readyAfterSeconds: 0 }, power))
  }

  /** Ends the machine for good, as the lab goes down. */
  async halt(): Promise<void> {
    this.#halt.abort(connectionLost())
    this.#power.abort(connectionLost())
    this.#life.abort(connectionLost())
    this.#up = false
    this.#options.kubernetes?.kubelet.stop()
    this.#emit({ type: 'state' })
    await this.etcd?.stop('SIGKILL', 'lab')
  }

  get ready(): boolean {
    return this.#up && this.#stage === 'running' && this.#unmet().length === 0
  }

  state(): NodeState {
    const unmetConditions = this.#unmet()
    return {
      stage: this.#stage,
      ready: unmetConditions.length === 0,
      unmetConditions,
      version: this.#slots.runs.version,
      kubernetesVersion: this.#options.kubernetesVersion,
      hostname: this.#hostname,
      bootId: this.#bootId,
      bootedAt: this.#bootedAt,
      slots: this.#slots.slots,
      runningSlot: this.#slots.running,
      defaultSlot: this.#slots.default,
      fallBackTo: this.#fallBackTo,
      platform: this.#options.platform,
      secureBoot: this.#options.secureBoot,
      installing: this.#installing,
      services: this.#services(),
      disks: this.#options.disks,
      machineConfig: this.#config.active,
      stagedConfig: this.#config.persistent,
    }
  }

  reachability(): Reachability {
    if (this.#silent) return 'silent'
    return this.#up ? 'answers' : 'refuses'
  }

  entrance(): Entrance {
    if (this.#fault('proxy-resets') !== undefined) return 'resets'
    return this.#fault('behind-endpoints') === undefined ? 'open' : 'silent'
  }

  /** how the network treats a connection to the API server of this control plane, a static pod that runs with its services */
  apiReachability(): Reachability {
    if (this.#silent) return 'silent'
    return this.#up && this.#servicesRun && this.#stage !== 'booting' ? 'answers' : 'refuses'
  }

  async kubeconfig(): Promise<string> {
    this.#mustBeUp()
    if (this.role === 'worker')
      throw new ApiError('UNIMPLEMENTED', 'kubeconfig is only available on control plane nodes')
    const { kubernetes } = this.#options
    if (kubernetes === undefined) throw new ApiError('FAILED_PRECONDITION', 'this lab runs no Kubernetes')
    return kubernetes.kubeconfig()
  }

  presentsWrongCa(): boolean {
    return this.#fault('wrong-ca') !== undefined
  }

  answersGarbage(): boolean {
    return this.#fault('answers-garbage') !== undefined
  }

  hidesLog(): boolean {
    return this.#fault('log-unreadable') !== undefined
  }

  imageRules(): readonly ImageRule[] {
    return this.#fault('image-refused') === undefined ? [] : [denyingRule]
  }

  log(name: 'machined' | 'dmesg'): readonly string[] {
    return this.#journal.lines(name)
  }

  on(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  images(): readonly { name: string; digest: string; sizeBytes: number; createdAt: Date }[] {
    return this.#images
  }

  recordCall(call: { method: string; endpoint: string; caller: string; roles: readonly string[]; code: string }): void {
    this.#options.log.append({ type: 'rpc', node: this.name, ...call })
    if (this.#up) this.#journal.call(call)
  }

  async pullImage(image: string, clientSignal: AbortSignal): Promise<string> {
    this.#mustBeUp()
    const signal = AbortSignal.any([clientSignal, this.#life.signal])
    const present = this.#images.find(({ name }) => name === image)
    if (present !== undefined) return pinned(present)
    const { log, clock, timings, faults } = this.#options
    log.append({ type: 'pull.started', node: this.name, image })
    try {
      if (faults.strike('image-refused', this.name)) {
        throw new ApiError('UNKNOWN', `verification denied by matched rule (${denyingRule.id})`)
      }
      await faults.hold('image-pull-hangs', this.name, signal)
      if (faults.strike('image-pull-fails', this.name) || !this.#published(image)) {
        throw new ApiError(
          'NOT_FOUND',
          `error pulling image: failed to resolve reference "${image}": ${image}: not found`,
        )
      }
      await clock.sleep(timings.pullSeconds, signal)
    } catch (error) {
      const failure = clientSignal.aborted ? new ApiError('UNKNOWN', 'context canceled') : error
      log.append({ type: 'pull.failed', node: this.name, image, reason: String(failure) })
      throw failure
    }
    log.append({ type: 'pull.finished', node: this.name, image })
    const digest = `sha256:${createHash('sha256').update(image).digest('hex')}`
    const pulled = { name: image, digest, sizeBytes: 180 * 1024 * 1024, createdAt: clock.now() }
    this.#images.push(pulled)
    return pinned(pulled)
  }

  async *install(image: string, signal: AbortSignal): AsyncIterable<InstallerOutput> {
    this.#mustBeUp()
    if (this.#installing) {
      throw new ApiError('FAILED_PRECONDITION', 'another installation/upgrade is already in progress')
    }
    if (this.#sequence !== undefined && this.#sequence !== 'boot') throw connectionLost()
    const present = this.#images.find((candidate) => candidate.name === image || pinned(candidate) === image)
    if (present === undefined) {
      throw new ApiError(
        'INTERNAL',
        `upgrade failed: installer image "${image}" not found in containerd store: not found`,
      )
    }
    // the installer outlives its client: only the end of the machine, or of its own process, stops it
    const output = new Readable({ objectMode: true, read() {} })
    const hungUp = () => output.destroy(new ApiError('UNKNOWN', 'context canceled'))
    if (signal.aborted) hungUp()
    else signal.addEventListener('abort', hungUp, { once: true })
    this.#runInstaller(present.name, 'lifecycle', this.#life.signal, (line) => {
      if (!output.destroyed) output.push(line)
    }).then(
      () => output.push(null),
      (error) => output.destroy(error instanceof Error ? error : new Error(String(error))),
    )
    yield* output
  }

  async upgradeLegacy(
    request: { image: string; force: boolean; preserve: boolean; stage: boolean },
    clientSignal: AbortSignal = new AbortController().signal,
  ): Promise<string> {
    this.#mustBeUp()
    const { image, force, preserve, stage } = request
    const { faults, log } = this.#options
    if (faults.strike('reboot-request-lost', this.name)) throw connectionLost()
    this.#journal.say(`upgrade request received: staged ${stage}, force ${force}, reboot mode DEFAULT`)
    this.#journal.say(`validating "${image}"`)
    try {
      await this.pullImage(image, clientSignal)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw this.#up
        ? new ApiError('UNKNOWN', `error validating installer image "${image}": ${reason}`)
        : connectionLost()
    }
    if (!force && !preserve) {
      const objection = await this.etcd?.objectionToUpgrade()
      if (objection !== undefined) throw new ApiError('UNKNOWN', `error validating etcd for upgrade: ${objection}`)
    }
    this.#mustBeUp()
    const actorId = randomUUID()
    if (this.#isLocked(actorId, 'upgrade', ['boot'])) return actorId
    log.append({
      type: 'reboot.requested',
      node: this.name,
      actorId,
      mode: 'DEFAULT',
      bootId: this.#bootId,
      by: 'upgrade',
    })
    const lost = faults.strike('connection-lost-during-reboot', this.name) !== undefined
    if (stage) this.#staged = image
    this.#detach((power) =>
      stage ? this.#rebootNow(actorId, 'stageUpgrade', 'DEFAULT', power) : this.#upgradeNow(actorId, image, power),
    )
    if (lost) throw connectionLost()
    return actorId
  }

  async reboot(mode: 'DEFAULT' | 'POWERCYCLE' | 'FORCE'): Promise<string> {
    this.#mustBeUp()
    const { faults, log } = this.#options
    if (faults.strike('reboot-request-lost', this.name)) throw connectionLost()
    const actorId = randomUUID()
    this.#journal.say(`reboot via API received. actor id: ${actorId}`)
    if (this.#isLocked(actorId, 'reboot', ['boot'])) return actorId
    log.append({ type: 'reboot.requested', node: this.name, actorId, mode, bootId: this.#bootId, by: 'reboot' })
    const lost = faults.strike('connection-lost-during-reboot', this.name) !== undefined
    this.#detach((power) => this.#rebootNow(actorId, 'reboot', mode, power))
    if (lost) throw connectionLost()
    return actorId
  }

  // --- sequences

  /** Talos' takeover table: a sequence that may not take over the running one is refused by an event, not by the call. */
  #isLocked(actorId: string, sequence: Sequence, mayTakeOver: readonly Sequence[]): boolean {
    if (this.#sequence === undefined || mayTakeOver.includes(this.#sequence)) return false
    this.#options.log.append({ type: 'reboot.ignored', node: this.name, actorId, bootId: this.#bootId })
    this.#sequenceEvent(actorId, sequence, 'NOOP', { code: 'LOCKED', message: 'sequence not started: locked' })
    return true
  }

  async #rebootNow(
    actorId: string,
    sequence: 'reboot' | 'stageUpgrade',
    mode: string,
    power: AbortSignal,
  ): Promise<void> {
    power.throwIfAborted()
    this.#beginSequence(sequence)
    this.#enter(sequence === 'reboot' ? 'rebooting' : 'upgrading')
    this.#sequenceEvent(actorId, sequence, 'START')
    if (mode !== 'FORCE') {
      this.#phases(actorId, ['cleanup', 'dbus'])
      this.#stopServices(actorId)
      await this.#options.clock.sleep(this.#options.timings.stopSeconds, power)
      this.#phases(actorId, ['umount', 'unmountBind', 'unmountSystem', 'volumeFinalize'])
      if (mode === 'DEFAULT' && !this.#options.secureBoot) this.#phases(actorId, ['kexec'])
      this.#stopEverything(actorId)
    }
    await this.#goDownAndUp(actorId, power)
  }

  /** The sequence of MachineService.Upgrade: everything on the node, ending in a reboot either way. */
  async #upgradeNow(actorId: string, image: string, power: AbortSignal): Promise<void> {
    power.throwIfAborted()
    this.#beginSequence('upgrade')
    this.#enter('upgrading')
    this.#sequenceEvent(actorId, 'upgrade', 'START')
    this.#phase(actorId, 'drain', 'START')
    await this.#options.kubernetes?.kubelet.drain(power)
    power.throwIfAborted()
    this.#phase(actorId, 'drain', 'STOP')
    this.#phases(actorId, ['cleanup', 'dbus'])
    this.#stopServices(actorId)
    await this.#options.clock.sleep(this.#options.timings.stopSeconds, power)
    this.#phases(actorId, ['unmount', 'unmountBind', 'unmountSystem', 'volumeFinalize'])
    let exitCode = 1
    this.#phase(actorId, 'upgrade', 'START')
    await this.#runInstaller(image, 'sequence', power, (line) => {
      if ('exitCode' in line) exitCode = line.exitCode
    }).catch(() => power.throwIfAborted())
    this.#phase(actorId, 'upgrade', 'STOP')
    if (exitCode !== 0) {
      // a fatal error in a sequence makes machined reboot
      const message = `sequence failed: error running phase 9 in upgrade sequence: task 1/1: failed, task "upgrade" failed: exit code ${exitCode}`
      this.#journal.say(`task upgrade (1/1): failed: exit code ${exitCode}`)
      this.#journal.say('upgrade sequence: failed')
      this.#sequenceEvent(actorId, 'upgrade', 'NOOP', { code: 'FATAL', message })
      this.#enter('rebooting')
      return this.#goDownAndUp(actorId, power)
    }
    this.#phases(actorId, ['meta'])
    this.#enter('rebooting')
    this.#phases(actorId, ['kexec'])
    this.#stopEverything(actorId)
    await this.#goDownAndUp(actorId, power)
  }

  async #goDownAndUp(actorId: string, power: AbortSignal): Promise<void> {
    this.#phase(actorId, 'reboot', 'START')
    this.#up = false
    this.#options.log.append({ type: 'machine.down', node: this.name, bootId: this.#bootId })
    this.#options.kubernetes?.kubelet.stop()
    this.#emit({ type: 'state' })
    await this.etcd?.stop('SIGKILL', 'machine')
    await this.#comeUp(power)
  }

  /** From power to a boot. */
  async #comeUp(power: AbortSignal): Promise<void> {
    const { clock, timings, faults } = this.#options
    power.throwIfAborted()
    const slow = faults.strike('slow-boot', this.name)
    await clock.sleep(timings.rebootSeconds + (slow?.seconds ?? 0), power)
    await faults.hold('never-returns', this.name, power)
    await this.#chooseSlot(power)
    await this.#readConfig(power)
    await this.#boot({ readyAfterSeconds: timings.readySeconds }, power)
  }

  /** Everything ends where it is, and nothing says goodbye. */
  async #losePower(): Promise<void> {
    const wasUp = this.#up
    this.#up = false
    this.#powerCut = true
    if (wasUp) {
      this.#options.log.append({ type: 'machine.down', node: this.name, bootId: this.#bootId, by: 'power-cut' })
    }
    this.#power.abort(connectionLost())
    this.#life.abort(connectionLost())
    this.#options.kubernetes?.kubelet.stop()
    this.#emit({ type: 'state' })
    await this.etcd?.stop('SIGKILL', 'fault')
  }

  #regainPower(): void {
    if (this.#halt.signal.aborted) return
    this.#powerCut = false
    this.#power = new AbortController()
    this.#detach((power) => this.#comeUp(power))
  }

  /** The release that boots takes up what stands on the disk, or stops there until it can read it. */
  async #readConfig(power: AbortSignal): Promise<void> {
    const { faults, log } = this.#options
    const { version } = this.#slots.runs
    for (;;) {
      const reason = configObjection(this.#config.persistent, version)
      if (reason === undefined) break
      log.append({ type: 'config.unreadable', node: this.name, version, reason })
      if (this.#fault('config-unreadable') === undefined) return untilAborted(power)
      await faults.hold('config-unreadable', this.name, power)
    }
    this.#config.active = this.#config.persistent
  }

  #changeConfig(how: 'at once' | 'staged' | 'taken back', text: string): void {
    this.#config = { active: how === 'staged' ? this.#config.active : text, persistent: text }
    this.#options.log.append({ type: 'config.changed', node: this.name, how })
    this.#emit({ type: 'state' })
  }

  /** What the firmware and machined's revert do until something boots. */
  async #chooseSlot(power: AbortSignal): Promise<void> {
    const { log, clock, timings, faults } = this.#options
    const wanted = this.#slots.default
    const next = this.#slots.slots[wanted]
    const fails =
      next === undefined || (!next.booted && faults.strike('boots-back-to-old-version', this.name) !== undefined)
    if (!fails) {
      this.#fallBackTo = next.booted ? undefined : otherSlot(wanted)
      this.#slots = bootFrom(this.#slots, wanted)
      return
    }
    const back = otherSlot(wanted)
    const previous = this.#slots.slots[back]
    if (previous?.booted) {
      await clock.sleep(timings.rebootSeconds, power)
      log.append({ type: 'machine.fell-back', node: this.name, from: next?.version ?? 'nothing', to: previous.version })
      this.#slots = bootFrom(this.#slots, back)
      return
    }
    log.append({ type: 'machine.lost', node: this.name, version: next?.version ?? 'nothing' })
    await faults.hold('boots-back-to-old-version', this.name, power)
    this.#slots = bootFrom(this.#slots, next === undefined ? back : wanted)
  }

  async #boot({ readyAfterSeconds }: { readyAfterSeconds: number }, power: AbortSignal): Promise<void> {
    const { log, clock, faults } = this.#options
    this.#life = new AbortController()
    const { signal } = this.#life
    this.#hostname = faults.strike('renamed-at-boot', this.name) ? `${this.name}b` : this.name
    this.#bootId = randomUUID()
    this.#bootedAt = clock.now()
    // Talos keeps what it pulled for itself in a tmpfs
    this.#images.length = 0
    this.#nodeReady = false
    this.#reportedReady = false
    this.#sequence = 'boot'
    const boot = { node: this.name, bootId: this.#bootId, version: this.#slots.runs.version, slot: this.#slots.running }
    log.append({ type: 'machine.booting', ...boot })
    // whoever waited for that line may have taken the power away
    power.throwIfAborted()
    this.#up = true
    this.#servicesRun = true
    this.#journal.begin(boot.version)
    this.#enter('booting')
    this.#sequenceEvent(undefined, 'boot', 'START')
    try {
      if (this.#staged !== undefined) return await this.#installStaged(this.#staged, power)
      await this.#startEtcd(signal)
      await clock.sleep(readyAfterSeconds * 0.6, signal)
      await this.#etcdHealthy(signal)
      log.append({ type: 'machine.running', ...boot })
      signal.throwIfAborted()
      this.#sequence = undefined
      this.#stage = 'running'
      this.#fallBackTo = undefined
      this.#sequenceEvent(undefined, 'boot', 'STOP')
      this.#options.kubernetes?.kubelet.start({ ...boot, nodename: this.#hostname })
      this.#changed()
      await clock.sleep(readyAfterSeconds * 0.4, signal)
      await faults.hold('returns-not-ready', this.name, signal)
      const late = faults.strike('kubelet-slow-ready', this.name)
      if (late !== undefined) await clock.sleep(late.seconds, signal)
      await this.#untilKubeletReady(signal)
      this.#nodeReady = true
      this.#changed()
    } catch (error) {
      if (!signal.aborted && !power.aborted) throw error
    }
  }

  /** The second half of `upgrade --stage`: the installer runs in the boot, and a second reboot follows. */
  async #installStaged(image: string, power: AbortSignal): Promise<void> {
    this.#staged = undefined
    this.#enter('installing')
    await this.#runInstaller(image, 'sequence', power, () => undefined).catch(() => power.throwIfAborted())
    const actorId = randomUUID()
    this.#beginSequence('reboot')
    this.#enter('rebooting')
    await this.#goDownAndUp(actorId, power)
  }

  async #startEtcd(signal: AbortSignal): Promise<void> {
    const { faults, clock } = this.#options
    if (this.etcd === undefined) return
    const slow = faults.strike('etcd-slow-to-catch-up', this.name)
    if (slow !== undefined) {
      this.etcd.setLagging(true)
      void clock.sleep(slow.seconds, signal).then(
        () => this.etcd?.setLagging(false),
        () => undefined,
      )
    }
    await faults.cure({ name: 'etcd-member-down', node: this.name }, 'reboot')
    this.etcd.start(this.#slots.runs.version, this.#hostname)
  }

  #untilKubeletReady(signal: AbortSignal): Promise<void> {
    const { kubernetes } = this.#options
    if (kubernetes === undefined) return Promise.resolve()
    return Promise.race([kubernetes.kubelet.becomeReady(), untilAborted(signal)])
  }

  #etcdHealthy(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.etcd?.on(() => look())
      const look = () => {
        if (this.etcd !== undefined && !this.etcd.healthy) return
        stop?.()
        resolve()
      }
      untilAborted(signal).catch((reason: unknown) => {
        stop?.()
        reject(reason)
      })
      look()
    })
  }

  #etcdChanged(): void {
    if (this.#up) this.#changed()
    const { faults, clock } = this.#options
    const died = this.#servicesRun && this.#up && this.etcd?.pid === undefined
    if (!died || faults.find('etcd-member-down', this.name) !== undefined) return
    // machined restarts a service that ended by itself
    const { signal } = this.#life
    void clock.sleep(5, signal).then(
      () => {
        if (faults.find('etcd-member-down', this.name) === undefined)
          this.etcd?.start(this.#slots.runs.version, this.#hostname)
      },
      () => undefined,
    )
  }

  // --- the installer

  /** `by`: who started it; a sequence has other words for it than the lifecycle service */
  async #runInstaller(
    image: string,
    by: 'lifecycle' | 'sequence',
    signal: AbortSignal,
    say: (line: InstallerOutput) => void,
  ): Promise<void> {
    const { log, clock, timings, faults } = this.#options
    const about = { node: this.name, image, bootId: this.#bootId }
    const disk = this.#options.disks.find(({ system }) => system)?.devPath ?? '/dev/sda'
    const progress = (message: string) => {
      if (by === 'lifecycle') this.#journal.installation({ what: 'progress', message: `${message}\n` })
      say({ message: `${message}\n` })
    }
    const tellsCodes = semver.gte(parseInstallerImage(image)?.version ?? '0.0.0', '1.14.0-alpha.0')
    const fail = (reason: string, code: number) => {
      const exitCode = tellsCodes ? code : 1
      log.append({ type: 'install.failed', ...about, reason })
      progress(`error: ${reason}`)
      if (by === 'lifecycle') this.#journal.installation({ what: 'ended', exitCode })
      say({ exitCode })
    }
    log.append({ type: 'install.started', ...about })
    this.#installing = true
    this.#emit({ type: 'state' })
    if (by === 'lifecycle') this.#journal.installation({ what: 'started', image, disk })
    else this.#journal.say(`task upgrade (1/1): performing upgrade via "${image}"`)
    try {
      const parsed = parseInstallerImage(image)
      const version = parsed?.version ?? 'unknown'
      progress(`running Talos installer ${version}`)
      const unfit = configObjection(this.#config.active, version)
      if (unfit !== undefined) return fail(unfit, 2)
      progress('running pre-flight checks')
      progress(`host Talos version: ${this.#slots.runs.version}`)
      await clock.sleep(timings.installSeconds * 0.2, signal)
      const objection = preflightObjection(version, this.#slots.runs.version)
      if (objection !== undefined) return fail(`pre-flight checks failed: ${objection}`, 4)
      progress('all pre-flight checks successful')
      if (parsed === undefined || parsed.secureBoot !== this.#options.secureBoot) {
        return fail('open /usr/install/amd64/vmlinuz.efi.signed: no such file or directory', 7)
      }
      const failing = faults.strike('install-fails', this.name)
      if (failing !== undefined) return fail('write /boot: input/output error', failing.exitCode ?? 1)
      const { slots, lost } = beginInstall(this.#slots)
      if (lost !== undefined) {
        log.append({
          type: 'slot.lost',
          node: this.name,
          bootId: this.#bootId,
          version: lost.version,
          overwrittenWith: version,
        })
      }
      this.#slots = slots
      progress(`writing ${otherSlot(slots.default)} on ${disk}`)
      await clock.sleep(timings.installSeconds * 0.4, signal)
      if (faults.strike('installer-dies', this.name)) {
        log.append({ type: 'install.cut-off', ...about, by: 'fault', reason: 'the installer died' })
        throw new ApiError('INTERNAL', 'upgrade failed: task exited with error: ttrpc: closed')
      }
      await clock.sleep(timings.installSeconds * 0.4, signal)
      const schematic = parsed.schematic ?? ''
      const extensions = this.#options.schematics[schematic] ?? []
      log.append({ type: 'install.finished', ...about })
      this.#slots = finishInstall(this.#slots, { version, schematic, extensions })
      progress(`installation of ${version} complete`)
      if (by === 'lifecycle') this.#journal.installation({ what: 'ended', exitCode: 0 })
      else this.#journal.say('task upgrade (1/1): upgrade successful')
      say({ exitCode: 0 })
    } catch (error) {
      if (!signal.aborted) throw error
      const by = this.#powerCut ? 'fault' : 'machine'
      const reason = this.#powerCut ? 'the power was cut' : 'the machine went down'
      log.append({ type: 'install.cut-off', ...about, by, reason })
      throw connectionLost()
    } finally {
      this.#installing = false
      this.#emit({ type: 'state' })
    }
  }

  #published(image: string): boolean {
    const parsed = parseInstallerImage(image)
    if (parsed === undefined) return !image.includes('installer')
    return parsed.schematic === undefined || Object.hasOwn(this.#options.schematics, parsed.schematic)
  }

  // --- faults that act at once

  async #suffer(fault: Fault): Promise<void> {
    const { log, machineConfig } = this.#options
    switch (fault.name) {
      case 'unreachable-for':
        log.append({ type: 'unreachable.from', node: this.name })
        this.#silent = true
        this.#emit({ type: 'state' })
        return this.#cureLater(fault)
      case 'config-changed':
        return this.#changeConfig('at once', withSomebodysChange(machineConfig, true))
      case 'config-staged':
      case 'config-unreadable':
        return this.#changeConfig('staged', withSomebodysChange(machineConfig, fault.name === 'config-staged'))
      case 'power-cut':
        await this.#losePower()
        return this.#cureLater(fault)
      case 'etcd-member-down':
        return this.etcd?.stop('SIGKILL', 'fault')
      case 'etcd-alarm-nospace':
        return this.etcd?.raiseAlarm()
      case 'etcd-alarms-unreadable':
        return this.etcd?.hideAlarms(true)
      case 'etcd-learner':
        return this.etcd?.addLearner()
      case 'behind-endpoints':
      case 'proxy-resets':
      case 'wrong-ca':
      case 'answers-garbage':
        return this.#emit({ type: 'state' })
      default:
        return
    }
  }

  /** Ends a fault after its seconds, unless it has ended before. */
  #cureLater(fault: Fault): void {
    const { clock, faults } = this.#options
    void clock.sleep(fault.seconds, this.#halt.signal).then(
      () => (this.#fault(fault.name) === fault ? faults.cure(fault, 'itself') : undefined),
      () => undefined,
    )
  }

  async #recover(fault: Fault): Promise<void> {
    switch (fault.name) {
      case 'config-changed':
      case 'config-staged':
      case 'config-unreadable':
        return this.#changeConfig('taken back', this.#options.machineConfig)
      case 'power-cut':
        return this.#regainPower()
      case 'unreachable-for':
        this.#options.log.append({ type: 'unreachable.to', node: this.name })
        this.#silent = false
        return this.#emit({ type: 'state' })
      case 'etcd-member-down':
        if (this.#up && this.#servicesRun) this.etcd?.start(this.#slots.runs.version, this.#hostname)
        return
      case 'etcd-alarm-nospace':
        await this.etcd?.disarmAlarms()
        return
      case 'etcd-alarms-unreadable':
        return this.etcd?.hideAlarms(false)
      case 'etcd-learner':
        return this.etcd?.removeLearner()
      case 'etcd-slow-to-catch-up':
        // a fault that ends by its last occurrence leaves the lag to its timer
        if (fault.timesLeft > 0) this.etcd?.setLagging(false)
        return
      case 'behind-endpoints':
      case 'proxy-resets':
      case 'wrong-ca':
      case 'answers-garbage':
        return this.#emit({ type: 'state' })
      default:
        return
    }
  }

  #fault(name: FaultName): Fault | undefined {
    return this.#options.faults.find(name, this.name)
  }

  // --- what a reader sees

  #services(): Service[] {
    const always = ['apid', 'auditd', 'containerd', 'dashboard', 'machined', 'syslogd', 'udevd']
    const stoppable = ['cri', 'kubelet', ...(this.role === 'controlplane' ? ['trustd'] : [])]
    const rows = [
      ...always.map((id) => service(id, this.#up)),
      ...stoppable.map((id) => service(id, this.#servicesRun)),
      ...(this.etcd === undefined
        ? []
        : [
            {
              id: 'etcd',
              running: this.etcd.pid !== undefined,
              healthy: this.etcd.healthy,
              lastMessage: this.etcd.healthy ? '' : 'context deadline exceeded',
            },
          ]),
    ]
    return rows.sort((a, b) => a.id.localeCompare(b.id))
  }

  /** Talos computes conditions only while booting or running; in every other stage the node counts as ready. */
  #unmet(): { name: string; reason: string }[] {
    if (this.#stage !== 'booting' && this.#stage !== 'running') return []
    const problems = this.#services().flatMap(({ id, running, healthy }) =>
      !running ? [`${id} not running`] : healthy ? [] : [`${id} not healthy`],
    )
    return [
      ...(problems.length === 0 ? [] : [{ name: 'services', reason: problems.join(', ') }]),
      ...(this.#nodeReady ? [] : [{ name: 'nodeReady', reason: `node "${this.#hostname}" is not ready` }]),
    ]
  }

  /** Called after anything that readiness depends on: logs what became of it and tells the readers. */
  #changed(): void {
    const unmet = this.#unmet()
    const about = { node: this.name, bootId: this.#bootId }
    const ready = this.#stage === 'running' && unmet.length === 0
    if (ready && !this.#reportedReady) {
      this.#options.log.append({ type: 'machine.ready', ...about, version: this.#slots.runs.version })
    } else if (!ready && this.#reportedReady && this.#stage === 'running') {
      const reason = unmet.map((condition) => `${condition.name}: ${condition.reason}`).join('; ')
      this.#options.log.append({ type: 'machine.not-ready', ...about, unmet: reason })
    }
    this.#reportedReady = ready
    this.#emit({ type: 'state' })
    this.#emit({
      type: 'runtime',
      event: { kind: 'machine-status', stage: this.#stage, ready: unmet.length === 0, unmet },
    })
  }

  #enter(stage: Stage): void {
    this.#stage = stage
    this.#changed()
  }

  #beginSequence(sequence: Sequence): void {
    this.#sequence = sequence
    this.#life.abort(connectionLost())
  }

  #stopServices(actorId: string): void {
    this.#phase(actorId, 'stopServices', 'START')
    this.#servicesRun = false
    // its last word reaches the API server while another one answers; nobody waits for it
    void this.#options.kubernetes?.kubelet.shutDown()
    void this.etcd?.stop('SIGTERM', 'machine')
    this.#phase(actorId, 'stopServices', 'STOP')
    this.#changed()
  }

  #stopEverything(actorId: string): void {
    this.#phase(actorId, 'stopEverything', 'START')
    this.#emit({ type: 'runtime', actorId, event: { kind: 'task', task: 'stopAllServices', action: 'START' } })
    this.#emit({ type: 'runtime', actorId, event: { kind: 'task', task: 'stopAllServices', action: 'STOP' } })
    this.#phase(actorId, 'stopEverything', 'STOP')
  }

  #phases(actorId: string, names: readonly string[]): void {
    for (const name of names) {
      this.#phase(actorId, name, 'START')
      this.#phase(actorId, name, 'STOP')
    }
  }

  #phase(actorId: string, phase: string, action: 'START' | 'STOP'): void {
    this.#journal.say(`phase ${phase}: ${action === 'START' ? 'starting' : 'done'}`)
    this.#emit({ type: 'runtime', actorId, event: { kind: 'phase', phase, action } })
  }

  #sequenceEvent(
    actorId: string | undefined,
    sequence: Sequence,
    action: 'START' | 'STOP' | 'NOOP',
    error?: { code: string; message: string },
  ): void {
    this.#emit({
      type: 'runtime',
      ...(actorId === undefined ? {} : { actorId }),
      event: { kind: 'sequence', sequence, action, ...(error === undefined ? {} : { error }) },
    })
  }

  #mustBeUp(): void {
    if (!this.#up) throw new ApiError('UNAVAILABLE', `dial tcp ${this.address}:50000: connect: connection refused`)
  }

  /** Lets a sequence run by itself; it ends early only with the machine's power. */
  #detach(sequence: (power: AbortSignal) => Promise<void>): void {
    const power = this.#power.signal
    sequence(power).catch((error) => {
      if (!power.aborted) throw error
    })
  }

  #emit(event: NodeEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }
}

/** Rejects when the signal is aborted, and never resolves. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function service(id: string, runs: boolean): Service {
  return { id, running: runs, healthy: runs, lastMessage: '' }
}

function pinned(image: { name: string; digest: string }): string {
  return `${image.name.replace(/:[^:/@]+$/, '')}@${image.digest}`
}
