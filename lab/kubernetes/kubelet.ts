import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { FaultBoard } from '../fault-board.ts'
import type { LabLog } from '../log.ts'
import { type ApiClient, KubeError, type KubeObject } from './api-client.ts'
import { ignoreMissing } from './ignore-missing.ts'
import type { Informer } from './informer.ts'
import { isReady } from './is-ready.ts'
import { reconciler } from './reconciler.ts'
import { ServerDrain } from './server-drain.ts'

/** machine seconds: a container starts, and ends when it is asked to and nothing slows it */
const startSeconds = 2
const stopSeconds = 2
const heartbeatSeconds = 10
const retryMs = 200
/** a pod that waits for its volumes says so this often */
const waitingMs = 1_000

/** annotation of a pod: how many machine seconds it takes to end; its grace period is the limit */
const slowTermination = 'lab/termination-seconds'
/** its containers end again and again */
const crashLoops = 'lab/crash-loops'

const staticPods = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']

/** A boot of the machine, as far as its kubelet tells of it; with the name of its Node. */
export type Boot = { version: string; bootId: string; nodename: string }

/** What the kubelets of a lab share. */
export type KubeletWorld = {
  api: ApiClient
  pods: Informer
  nodes: Informer
  /** whether what the pod mounts is there; a pod waits for it */
  volumesReady: (pod: KubeObject) => boolean
  /** tells the controllers that the node has the driver of the volumes */
  announceStorage: (node: string) => Promise<unknown>
  clock: Clock
  faults: FaultBoard
  log: LabLog
  speed: number
}

/** What the kubelet is told about its machine. */
export type KubeletOptions = {
  name: string
  address: string
  role: 'controlplane' | 'worker'
  kubernetesVersion: string
  tainted: boolean
}

/**
 * A simulated kubelet: registers its Node, renews its Lease, runs and ends the pods that the real scheduler binds to it,
 * and mirrors the static pods of a control plane. While its machine is down it says and does nothing.
 */
export class Kubelet {
  readonly #options: KubeletOptions
  readonly #world: KubeletWorld
  /** aborted when the machine goes down */
  #life: AbortController | undefined
  #boot: Boot | undefined
  #ready = false
  /** pods that are being started or ended, by uid */
  readonly #busy = new Set<string>()
  readonly #serverDrain: ServerDrain
  #sayAgain: () => void = () => undefined

  constructor(options: KubeletOptions, world: KubeletWorld) {
    this.#options = options
    this.#world = world
    this.#serverDrain = new ServerDrain(() => this.name, world)
    world.pods.on((change, pod) => {
      if (pod.spec.nodeName !== this.name) return
      if (isMirror(pod)) this.#sayAgain()
      else if (change === 'there') this.#look(pod)
    })
    world.nodes.on((_, node) => {
      if (node.metadata.name === this.name) this.#sayAgain()
    })
  }

  /** of its Node; a machine may get another one with a boot */
  get name(): string {
    return this.#boot?.nodename ?? this.#options.name
  }

  /** Registers the node and begins to take care of its pods; they do not start before `becomeReady`. */
  start(boot: Boot): void {
    this.#life = new AbortController()
    this.#boot = boot
    this.#ready = false
    this.#busy.clear()
    const { signal } = this.#life
    this.#sayAgain = reconciler(`the kubelet of ${this.name}`, signal, () => this.#uphold(signal))
    void this.#insist(() => this.#register(), signal)
      .then(() => Promise.all([this.#heartbeat(signal), this.#insist(() => this.#serverDrain.undo(), signal)]))
      .catch((error: unknown) => {
        if (!signal.aborted) process.stderr.write(`the kubelet of ${this.name}: ${String(error)}\n`)
      })
  }

  /** The drain that an upgrade of Talos below 1.13 begins with; resolves whatever comes of it. */
  drain(signal: AbortSignal): Promise<void> {
    return this.#serverDrain.run(signal)
  }

  /** Resolves when the API server has taken note that the node is ready; rejects when the machine goes down first. */
  async becomeReady(): Promise<void> {
    const signal = this.#life?.signal
    if (signal === undefined) throw new Error(`${this.name} is down`)
    await this.#insist(() => this.#register(), signal)
    await this.#insist(() => this.#sayReady(), signal)
    for (const component of this.#staticPods()) await this.#insist(() => this.#mirror(component), signal, never)
    signal.throwIfAborted()
    this.#ready = true
    this.#sayAgain()
    for (const pod of this.#own()) this.#look(pod, { restarted: true })
  }

  /** The graceful part of going down: the node says that it shuts down. */
  async shutDown(): Promise<void> {
    this.#ready = false
    await this.#say('False', 'KubeletNotReady', 'node is shutting down').catch(() => undefined)
  }

  /** The machine is down: nothing goes on, and nothing is said. */
  stop(): void {
    this.#ready = false
    this.#life?.abort(new Error(`${this.name} is down`))
  }

  /** Registers the node anew, where somebody has deleted it. */
  async register(): Promise<void> {
    if (this.#life === undefined || this.#life.signal.aborted) return
    await this.#register()
    if (this.#ready) await this.#sayReady()
  }

  /** The pods that the scheduler gave it. */
  #own(): KubeObject[] {
    return this.#world.pods.all().filter((pod) => pod.spec.nodeName === this.name && !isMirror(pod))
  }

  // --- the Node

  async #register(): Promise<void> {
    const { name } = this
    const { address, role, tainted, kubernetesVersion } = this.#options
    const { api, announceStorage } = this.#world
    const { version, bootId } = this.#boot ?? { version: '', bootId: '' }
    const labels = {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'beta.kubernetes.io/arch': 'amd64',
      ...(role === 'controlplane' ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
    }
    const taint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      // without it the controllers leave the volumes of the node to its kubelet
      metadata: { name, labels, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
      spec: tainted ? { taints: [taint] } : {},
    }
    await api.create('/api/v1/nodes', node).catch((error: unknown) => {
      if (!(error instanceof KubeError) || error.code !== 409) throw error
    })
    await announceStorage(name)
    const resources = { cpu: '4', memory: '16Gi', pods: '110', 'ephemeral-storage': '200Gi' }
    await api.patch(
      `/api/v1/nodes/${name}/status`,
      {
        status: {
          addresses: [
            { type: 'InternalIP', address },
            { type: 'Hostname', address: name },
          ],
          capacity: resources,
          allocatable: resources,
          nodeInfo: {
            machineID: createHash('md5').update(this.#options.name).digest('hex'),
            systemUUID: createHash('md5').update(address).digest('hex'),
            bootID: bootId,
            kernelVersion: '6.18.0-talos',
            osImage: `Talos (${version})`,
            containerRuntimeVersion: 'containerd://2.1.5',
            kubeletVersion: kubernetesVersion,
            kubeProxyVersion: '',
            operatingSystem: 'linux',
            architecture: 'amd64',
          },
        },
      },
      'strategic',
    )
  }

  /**
   * Says again what somebody else has changed. The controllers doubt a node that they have not heard of for long, and with
   * it each of its pods, and do not take that back by themselves; the static pods of a Node that was deleted go with it.
   */
  async #uphold(signal: AbortSignal): Promise<void> {
    const { nodes, pods } = this.#world
    const node = nodes.find(this.name)
    if (!this.#ready || node === undefined) return
    if (!isReady(node)) await this.#insist(() => this.#sayReady(), signal)
    for (const component of this.#staticPods()) {
      const mirror = pods.find(`${component}-${this.name}`, 'kube-system')
      if (isEnding(mirror) || !isReady(mirror)) await this.#insist(() => this.#mirror(component), signal, never)
    }
  }

  #sayReady(): Promise<KubeObject> {
    return this.#say('True', 'KubeletReady', 'kubelet is posting ready status')
  }

  #say(status: 'True' | 'False', reason: string, message: string): Promise<KubeObject> {
    const now = timestamp(this.#world.clock)
    const condition = (type: string, is: string, why: string, text: string) => ({
      type,
      status: is,
      reason: why,
      message: text,
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    })
    const conditions = [
      condition('Ready', status, reason, message),
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    ]
    return this.#world.api.patch(`/api/v1/nodes/${this.name}/status`, { status: { conditions } }, 'strategic')
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { api, clock, speed } = this.#world
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    // not scaled below a second: the controller manager only looks that often
    const seconds = Math.max(heartbeatSeconds, 2 * speed)
    while (!signal.aborted) {
      const spec = { holderIdentity: this.name, leaseDurationSeconds: 40, renewTime: microTime(clock) }
      const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: this.name }, spec }
      await api
        .patch(`${path}/${this.name}`, lease)
        .catch((error: unknown) =>
          error instanceof KubeError && error.code === 404 ? api.create(path, lease) : undefined,
        )
        .catch(() => undefined)
      await clock.sleep(seconds, signal).catch(() => undefined)
    }
  }

  // --- pods

  #look(pod: KubeObject, { restarted = false } = {}): void {
    const uid = pod.metadata.uid ?? ''
    const signal = this.#life?.signal
    if (signal === undefined || signal.aborted || this.#busy.has(uid)) return
    const ends = isEnding(pod)
    if (!ends && (!this.#ready || isOver(pod) || (runs(pod) && !restarted))) return
    this.#busy.add(uid)
    const work = ends ? this.#end(pod, signal) : this.#run(pod, signal)
    void work
      .catch((error: unknown) => {
        if (!signal.aborted && !isMissing(error)) process.stderr.write(`${this.name}: ${String(error)}\n`)
      })
      .finally(() => {
        this.#busy.delete(uid)
        const now = this.#world.pods.find(pod.metadata.name, pod.metadata.namespace)
        if (now?.metadata.uid !== uid || signal.aborted) return
        if (isEnding(now) && !ends) this.#look(now)
      })
  }

  async #run(pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { clock, volumesReady } = this.#world
    for (let saidAt = 0; ; ) {
      await clock.sleep(startSeconds, signal)
      const now = this.#world.pods.find(pod.metadata.name, pod.metadata.namespace)
      if (now === undefined || now.metadata.uid !== pod.metadata.uid) return
      if (isEnding(now)) return
      if (volumesReady(now)) break
      if (Date.now() - saidAt < waitingMs) continue
      saidAt = Date.now()
      await this.#insist(() => this.#sayWaiting(pod), signal)
    }
    await this.#insist(() => this.#status(pod, !crashes(pod)), signal)
  }

  /**
   * The attach-detach controller looks at a pod when it changes, and else every three minutes. It may not have known the
   * pod's volume when the pod was bound, so that the pod has to change again, as a kubelet's first report has it do.
   */
  #sayWaiting({ metadata: { namespace, name, uid } }: KubeObject): Promise<KubeObject> {
    const now = timestamp(this.#world.clock)
    const waiting = { type: 'PodReadyToStartContainers', status: 'False', lastProbeTime: now, lastTransitionTime: now }
    const status = { metadata: { uid }, status: { phase: 'Pending', conditions: [waiting] } }
    return this.#world.api.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, status, 'strategic')
  }

  async #end(pod: KubeObject, signal: AbortSignal): Promise<void> {
    const { clock, faults, log } = this.#world
    const { namespace, name, uid, deletionGracePeriodSeconds = 30, annotations = {} } = pod.metadata
    // a kubelet that is not ready (it has just booted) finds no container of it any more
    const asked = Number(annotations[slowTermination] ?? stopSeconds)
    await faults.hold('pod-never-terminates', this.#options.name, signal)
    await clock.sleep(Math.min(Math.max(asked, 0), deletionGracePeriodSeconds), signal)
    await this.#insist(
      () =>
        this.#world.api.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, {
          gracePeriodSeconds: 0,
          preconditions: { uid },
        }),
      signal,
    )
    log.append({ type: 'pod.ended', node: this.name, pod: `${namespace}/${name}` })
  }

  async #status(pod: KubeObject, ready: boolean): Promise<KubeObject> {
    const { clock, api } = this.#world
    const { namespace, name, uid } = pod.metadata
    const now = timestamp(clock)
    const condition = (type: string) => ({ type, status: ready ? 'True' : 'False', lastTransitionTime: now })
    const previous = pod.status?.containerStatuses as { restartCount?: number }[] | undefined
    const containers = (pod.spec.containers ?? []) as { name: string; image: string }[]
    return api.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      metadata: { uid },
      status: {
        phase: 'Running',
        hostIP: this.#options.address,
        podIP: podAddress(uid ?? name),
        podIPs: [{ ip: podAddress(uid ?? name) }],
        startTime: pod.status?.startTime ?? now,
        conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
        containerStatuses: containers.map((container, index) => ({
          name: container.name,
          image: container.image,
          imageID: container.image,
          containerID: `containerd://${createHash('sha256').update(`${uid}${container.name}`).digest('hex')}`,
          ready,
          started: ready,
          restartCount: previous === undefined ? 0 : (previous[index]?.restartCount ?? 0) + 1,
          state: ready || !crashes(pod) ? { running: { startedAt: now } } : { waiting: { reason: 'CrashLoopBackOff' } },
        })),
      },
    })
  }

  #staticPods(): readonly string[] {
    return this.#options.role === 'controlplane' ? staticPods : []
  }

  /** The mirror pod of a static pod; it is made anew when it ends, or was that of a Node which is gone. */
  async #mirror(component: string): Promise<void> {
    const { api } = this.#world
    const { kubernetesVersion } = this.#options
    const name = `${component}-${this.name}`
    const path = '/api/v1/namespaces/kube-system/pods'
    const node = await api.get(`/api/v1/nodes/${this.name}`)
    const hash = createHash('md5').update(`${name}${kubernetesVersion}`).digest('hex')
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'kube-system',
        labels: { 'k8s-app': component, component, tier: 'control-plane' },
        annotations: {
          'kubernetes.io/config.mirror': hash,
          'kubernetes.io/config.hash': hash,
          'kubernetes.io/config.source': 'file',
          'talos.dev/config-version': '1',
          'talos.dev/secrets-version': '1',
        },
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Node', name: this.name, uid: node.metadata.uid ?? '', controller: true },
        ],
      },
      spec: {
        nodeName: this.name,
        hostNetwork: true,
        priorityClassName: 'system-cluster-critical',
        tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
        containers: [{ name: component, image: `registry.k8s.io/${component}:${kubernetesVersion}` }],
      },
    }
    const old = await api.get(`${path}/${name}`).catch(ignoreMissing)
    const stays = !isEnding(old) && old?.metadata.ownerReferences?.[0]?.uid === node.metadata.uid
    if (old !== undefined && !stays) await api.delete(`${path}/${name}`, { gracePeriodSeconds: 0 }).catch(ignoreMissing)
    await this.#status(old !== undefined && stays ? old : await api.create(path, pod), true)
  }

  /** Tries until it works or fails for good: an API server that is away is no reason for a kubelet to give up. */
  async #insist(work: () => Promise<unknown>, signal: AbortSignal, isFinal = isMissing): Promise<void> {
    while (!signal.aborted) {
      try {
        await work()
        return
      } catch (error) {
        if (isFinal(error)) throw error
        await this.#world.clock.sleep((retryMs / 1000) * this.#world.speed, signal).catch(() => undefined)
      }
    }
    signal.throwIfAborted()
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof KubeError && (error.code === 404 || (error.code === 409 && error.message.includes('UID')))

const never = (): boolean => false

const isMirror = (pod: KubeObject): boolean => pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined

const isEnding = (pod: KubeObject | undefined): boolean => pod?.metadata.deletionTimestamp !== undefined

const isOver = (pod: KubeObject): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

const crashes = (pod: KubeObject): boolean => pod.metadata.annotations?.[crashLoops] !== undefined

const runs = (pod: KubeObject): boolean => pod.status?.phase === 'Running' && (isReady(pod) || crashes(pod))

const timestamp = (clock: Clock): string =>
  clock
    .now()
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')

const microTime = (clock: Clock): string => clock.now().toISOString().replace('Z', '000Z')

function podAddress(uid: string): string {
  const bytes = createHash('md5').update(uid).digest()
  return `10.244.${bytes[0]}.${1 + ((bytes[1] ?? 0) % 254)}`
}
