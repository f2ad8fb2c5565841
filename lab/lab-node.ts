/**
 * The seam inside the lab: `lab/machine.ts` implements `LabNode`, the gRPC services under `lab/api/` speak for it.
 * Everything here is plain data or a call; nothing knows gRPC.
 */

/** Stage names as `talosctl get machinestatus` prints them (Talos enums.proto, MachineStage). */
export type Stage =
  | 'unknown'
  | 'booting'
  | 'installing'
  | 'maintenance'
  | 'running'
  | 'rebooting'
  | 'shutting down'
  | 'resetting'
  | 'upgrading'

/** One boot slot: what is written there, and whether it has ever run. */
export type Slot = { version: string; schematic: string; extensions: readonly string[]; booted: boolean }

/** A system service as `talosctl services` shows it. */
export type Service = { id: string; running: boolean; healthy: boolean; lastMessage: string }

/** A disk as `talosctl get disks` shows it. */
export type Disk = {
  devPath: string
  sizeBytes: number
  model: string
  serial: string
  wwid: string
  busPath: string
  transport: string
  rotational: boolean
  readonly: boolean
  system: boolean
}

/** Everything a reader of the node may see at one moment. */
export type NodeState = {
  stage: Stage
  ready: boolean
  unmetConditions: readonly { name: string; reason: string }[]
  /** version that runs now, like `v1.13.5`; decides which API generation answers */
  version: string
  kubernetesVersion: string
  /** what it has called itself since this boot, its Node in Kubernetes, too */
  hostname: string
  bootId: string
  bootedAt: Date
  slots: Readonly<Record<'A' | 'B', Slot | undefined>>
  runningSlot: 'A' | 'B'
  defaultSlot: 'A' | 'B'
  /** META's tag `Upgrade`: the slot to go back to, from the boot of another one until that boot is complete */
  fallBackTo?: 'A' | 'B' | undefined
  platform: string
  secureBoot: boolean
  /** an installer runs right now: its process is on record as the service `installer` */
  installing?: boolean
  services: readonly Service[]
  disks: readonly Disk[]
  /** the machine configuration that is active, as YAML text */
  machineConfig: string
  /** the one on disk, where it is another: staged, for the next boot */
  stagedConfig?: string | undefined
}

/** One of Talos' ImageVerificationRules. */
export type ImageRule = { id: string; imagePattern: string; skip: boolean; deny: boolean }

/** What happened on the node; `runtime` events are what `talosctl events` streams while the connection lives. */
export type NodeEvent =
  | { type: 'state' }
  | { type: 'machined-log' | 'dmesg'; line: string }
  | {
      type: 'runtime'
      actorId?: string
      event:
        | {
            kind: 'sequence'
            sequence: string
            action: 'START' | 'STOP' | 'NOOP'
            error?: { code: string; message: string }
          }
        | { kind: 'phase'; phase: string; action: 'START' | 'STOP' }
        | { kind: 'task'; task: string; action: 'START' | 'STOP' }
        | { kind: 'machine-status'; stage: Stage; ready: boolean; unmet: readonly { name: string; reason: string }[] }
    }

/** A refusal in gRPC's words; the services turn it into a status. */
export class ApiError extends Error {
  readonly code: ApiErrorCode
  constructor(code: ApiErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export type ApiErrorCode =
  | 'UNAVAILABLE'
  | 'FAILED_PRECONDITION'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'UNIMPLEMENTED'
  | 'ALREADY_EXISTS'
  | 'DEADLINE_EXCEEDED'
  | 'INTERNAL'
  | 'CANCELLED'
  | 'INTERNAL'
  | 'UNKNOWN'

/** How the network treats a connection to the node right now. */
export type Reachability =
  | 'answers'
  /** nothing listens: connection refused (machine down or booting) */
  | 'refuses'
  /** packets vanish: connections are accepted by nobody and time out (unreachable-for) */
  | 'silent'

/** How the network treats whoever comes from outside of the cluster, where other nodes reach the node. */
export type Entrance =
  | 'open'
  /** packets vanish: a private network, or a firewall (behind-endpoints) */
  | 'silent'
  /** a proxy takes the connection and resets it (proxy-resets) */
  | 'resets'

/** The etcd member of a control plane, as the Etcd* calls report it; ids are decimal strings of the uint64. */
export interface LabEtcd {
  /** what its own member says when `local`, else any that answers */
  members(options?: {
    local: boolean
  }): Promise<{ id: string; hostname: string; peerUrls: string[]; clientUrls: string[]; learner: boolean }[]>
  status(): Promise<{
    memberId: string
    leader: string
    dbSize: number
    dbSizeInUse: number
    raftIndex: number
    raftTerm: number
    raftAppliedIndex: number
    errors: string[]
    learner: boolean
    protocolVersion: string
    storageVersion: string
  }>
  alarms(): Promise<{ memberId: string; alarm: 'NOSPACE' | 'CORRUPT' }[]>
  /** disarms every alarm of the cluster and resolves to what was raised */
  disarmAlarms(): Promise<{ memberId: string; alarm: 'NOSPACE' | 'CORRUPT' }[]>
  /** moves leadership away when this member leads; resolves to the new leader's id, or undefined when it did not lead */
  forfeitLeadership(): Promise<string | undefined>
  /** bytes of a bbolt database followed by their sha256, as etcd streams it */
  snapshot(): AsyncIterable<Uint8Array>
}

export interface LabNode {
  readonly name: string
  readonly address: string
  readonly role: 'controlplane' | 'worker'
  state(): NodeState
  reachability(): Reachability
  /** what else is in the way of those who are no nodes */
  entrance(): Entrance
  /** the same for the API server of a control plane, a static pod */
  apiReachability(): Reachability
  /** true while the node must present a certificate of a stranger's CA (fault wrong-ca) */
  presentsWrongCa(): boolean
  /** true while every answer's content must be nonsense: version "garbage", empty specs (fault answers-garbage) */
  answersGarbage(): boolean
  /** true while nobody is told what machined has logged (fault log-unreadable) */
  hidesLog(): boolean
  /** rules of image verification; there are some only while one denies (fault image-refused) */
  imageRules(): readonly ImageRule[]
  /** lines of machined's log / the kernel's log since the last boot */
  log(name: 'machined' | 'dmesg'): readonly string[]
  on(listener: (event: NodeEvent) => void): () => void
  /** present on control planes; rejects with UNAVAILABLE-like ApiError while no etcd process runs */
  readonly etcd: LabEtcd | undefined
  /** images that were pulled since the boot, newest last */
  images(): readonly { name: string; digest: string; sizeBytes: number; createdAt: Date }[]
  /** ImageService.Pull and MachineService.ImagePull; resolves to `name@digest` */
  pullImage(image: string, signal: AbortSignal): Promise<string>
  /**
   * LifecycleService.Upgrade: yields installer lines, ends with the exit code. Leaves the node running.
   * An aborted signal ends the stream alone: the installer runs to its end whoever listens.
   */
  install(image: string, signal: AbortSignal): AsyncIterable<{ message: string } | { exitCode: number }>
  /**
   * MachineService.Upgrade below 1.13: pull and etcd checks on the node (here the signal still cancels), then the actor
   * id, then drain, install, reboot.
   */
  upgradeLegacy(
    request: { image: string; force: boolean; preserve: boolean; stage: boolean },
    signal?: AbortSignal,
  ): Promise<string>
  /** MachineService.Kubeconfig: an administrator's kubeconfig as YAML; control planes only */
  kubeconfig(): Promise<string>
  /** MachineService.Reboot; returns the actor id at once */
  reboot(mode: 'DEFAULT' | 'POWERCYCLE' | 'FORCE'): Promise<string>
  /** recorded in the lab's log with caller and outcome */
  recordCall(call: { method: string; endpoint: string; caller: string; roles: readonly string[]; code: string }): void
}
