import { randomUUID } from 'node:crypto'
import type { Entrance, LabEtcd, LabNode, NodeEvent, NodeState, Reachability } from '../../../lab/lab-node.ts'

type RecordedCall = Parameters<LabNode['recordCall']>[0]

/** A node with plain state and no behaviour of its own: tests set what it says and read what it was asked. */
export class FakeNode implements LabNode {
  readonly name: string
  readonly address: string
  readonly role: 'controlplane' | 'worker'
  readonly calls: RecordedCall[] = []
  readonly requests: unknown[] = []
  readonly logs = { machined: ['machined: hello'], dmesg: ['kern:    info: [2026-01-01T00:00:00Z]: hello'] }
  etcd: LabEtcd | undefined
  garbage = false
  logHidden = false
  wrongCa = false
  reach: Reachability = 'answers'
  way: Entrance = 'open'
  current: NodeState
  readonly #listeners = new Set<(event: NodeEvent) => void>()

  constructor(name: string, address: string, options: { role?: 'controlplane' | 'worker'; version?: string } = {}) {
    this.name = name
    this.address = address
    this.role = options.role ?? 'controlplane'
    const version = options.version ?? 'v1.13.5'
    this.current = {
      stage: 'running',
      ready: true,
      unmetConditions: [],
      version,
      kubernetesVersion: 'v1.36.0',
      hostname: name,
      bootId: randomUUID(),
      bootedAt: new Date(),
      slots: {
        A: { version, schematic: '3765'.repeat(16), extensions: ['siderolabs/iscsi-tools'], booted: true },
        B: undefined,
      },
      runningSlot: 'A',
      defaultSlot: 'A',
      platform: 'metal',
      secureBoot: false,
      services: [
        { id: 'apid', running: true, healthy: true, lastMessage: '' },
        { id: 'etcd', running: true, healthy: true, lastMessage: '' },
        { id: 'kubelet', running: true, healthy: true, lastMessage: '' },
      ],
      disks: [
        {
          devPath: '/dev/sda',
          sizeBytes: 500107862016,
          model: 'Portable SSD T5',
          serial: 'S1',
          wwid: 'naa.5000000000000001',
          busPath: '/pci0000:00/usb2',
          transport: 'usb',
          rotational: false,
          readonly: false,
          system: true,
        },
      ],
      machineConfig: 'version: v1alpha1\nmachine:\n  type: controlplane\n',
    }
    this.etcd = this.role === 'worker' ? undefined : fakeEtcd(address)
  }

  state = (): NodeState => this.current
  reachability = (): Reachability => this.reach
  entrance = (): Entrance => this.way
  presentsWrongCa = (): boolean => this.wrongCa
  answersGarbage = (): boolean => this.garbage
  hidesLog = (): boolean => this.logHidden
  imageRules = (): [] => []
  log = (name: 'machined' | 'dmesg'): readonly string[] => this.logs[name]
  images = (): ReturnType<LabNode['images']> => [
    {
      name: 'registry.test/installer:v1.13.9',
      digest: `sha256:${'0'.repeat(64)}`,
      sizeBytes: 1e8,
      createdAt: new Date(0),
    },
  ]

  on(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(event: NodeEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  /** Changes the state and says so. */
  set(change: Partial<NodeState>): void {
    this.current = { ...this.current, ...change }
    this.emit({ type: 'state' })
  }

  /** Changes how the network treats the node, and says so. */
  setReach(reach: Reachability): void {
    this.reach = reach
    this.emit({ type: 'state' })
  }

  setEntrance(way: Entrance): void {
    this.way = way
    this.emit({ type: 'state' })
  }

  async pullImage(image: string, _signal?: AbortSignal): Promise<string> {
    this.requests.push({ pull: image })
    return `${image}@sha256:${'0'.repeat(64)}`
  }

  async *install(image: string): AsyncIterable<{ message: string } | { exitCode: number }> {
    this.requests.push({ install: image })
    yield { message: 'copying files' }
    yield { exitCode: 0 }
  }

  apiReachability(): Reachability {
    return this.reachability()
  }

  async kubeconfig(): Promise<string> {
    return 'apiVersion: v1\nkind: Config\n'
  }

  async upgradeLegacy(request: Parameters<LabNode['upgradeLegacy']>[0]): Promise<string> {
    this.requests.push({ upgradeLegacy: request })
    return randomUUID()
  }

  async reboot(mode: 'DEFAULT' | 'POWERCYCLE' | 'FORCE'): Promise<string> {
    this.requests.push({ reboot: mode })
    return randomUUID()
  }

  recordCall(call: RecordedCall): void {
    this.calls.push(call)
  }
}

/** A healthy cluster of one member, the same to whoever asks in one /24. */
function fakeEtcd(address: string): LabEtcd {
  const hostname = 'k8s-1'
  const first = address.replace(/\d+$/, '11')
  const memberId = '12345678901234567890'
  return {
    members: async () => [
      {
        id: memberId,
        hostname,
        peerUrls: [`https://${first}:2380`],
        clientUrls: [`https://${first}:2379`],
        learner: false,
      },
    ],
    status: async () => ({
      memberId,
      leader: memberId,
      dbSize: 1e6,
      dbSizeInUse: 5e5,
      raftIndex: 42,
      raftTerm: 3,
      raftAppliedIndex: 42,
      errors: [],
      learner: false,
      protocolVersion: '3.6.14',
      storageVersion: '3.6.0',
    }),
    alarms: async () => [{ memberId, alarm: 'NOSPACE' }],
    disarmAlarms: async () => [{ memberId, alarm: 'NOSPACE' }],
    forfeitLeadership: async () => undefined,
    async *snapshot() {
      yield Buffer.alloc(512)
    },
  }
}
