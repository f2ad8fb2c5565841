import { setTimeout } from 'node:timers/promises'
import { virtualIp } from '../addresses.ts'
import type { Clock } from '../clock.ts'
import type { KubeNodeReport } from '../control.ts'
import type { FaultBoard } from '../fault-board.ts'
import type { LabLog } from '../log.ts'
import type { ApiClient, KubeObject } from './api-client.ts'
import { bootstrapManifests } from './bootstrap-manifests.ts'
import { CloudNativePg } from './cloudnative-pg.ts'
import type { ClusterIdentity } from './cluster-identity.ts'
import { type ApiHost, Entrances } from './entrances.ts'
import { Informer } from './informer.ts'
import { isReady } from './is-ready.ts'
import { kubeconfig } from './kubeconfig.ts'
import { type Boot, Kubelet, type KubeletOptions, type KubeletWorld } from './kubelet.ts'
import { KubernetesFaults } from './kubernetes-faults.ts'
import { Longhorn } from './longhorn.ts'
import { applyManifests } from './manifests.ts'
import { notRunning } from './not-running.ts'
import type { Operator } from './operator.ts'
import { type KubernetesTools, Servers } from './servers.ts'
import { Storage } from './storage.ts'
import { Witness } from './witness.ts'

/** What a machine does with its kubelet. */
export type MachineKubelet = {
  /** registers the node, and begins */
  start(boot: Boot): void
  /** resolves when the API server has it that the node is ready */
  becomeReady(): Promise<void>
  /** the drain that an upgrade of Talos below 1.13 begins with */
  drain(signal: AbortSignal): Promise<void>
  shutDown(): Promise<void>
  stop(): void
}

export type KubernetesOptions = {
  identity: ClusterIdentity
  tools: KubernetesTools
  /** what runs in it besides what Talos brings */
  workloads: readonly KubeObject[]
  operators: readonly Operator[]
  /** names of the machines */
  nodes: readonly string[]
  dir: string
  etcdUrls: readonly string[]
  kubernetesVersion: string
  clock: Clock
  speed: number
  faults: FaultBoard
  log: LabLog
}

const runningWithinMs = 90_000
const lookAgainMs = 200

/** The Kubernetes of a lab: real servers, simulated kubelets, and what runs in it from the start. */
export class LabKubernetes {
  readonly #options: KubernetesOptions
  readonly #servers: Servers
  readonly #end = new AbortController()
  readonly #world: Promise<KubeletWorld>
  readonly #kubelets = new Map<string, Kubelet>()
  /** control planes whose API server a fault keeps shut */
  readonly #closed = new Set<string>()
  readonly #closedChanged = new Set<() => void>()
  #begin: (world: KubeletWorld) => void = () => undefined
  #api: ApiClient | undefined
  #entrances: Entrances | undefined
  #witness: Witness | undefined
  #seen: { nodes: Informer; pods: Informer } | undefined

  constructor(options: KubernetesOptions) {
    this.#options = options
    this.#servers = new Servers({ dir: options.dir, onAudit: (event) => this.#witness?.note(event) })
    this.#world = new Promise((resolve) => (this.#begin = resolve))
  }

  /** The kubelet of one machine; what it is asked before the API server is there waits for it. */
  kubelet(options: Omit<KubeletOptions, 'tainted'>): MachineKubelet {
    const tainted = options.role === 'controlplane' && !this.#options.identity.schedulesOnControlPlanes
    const made = this.#world.then((world) => {
      const kubelet = new Kubelet({ ...options, tainted }, world)
      this.#kubelets.set(options.name, kubelet)
      return kubelet
    })
    return {
      start: (boot) => void made.then((kubelet) => kubelet.start(boot)),
      becomeReady: () => made.then((kubelet) => kubelet.becomeReady()),
      drain: (signal) => made.then((kubelet) => kubelet.drain(signal)),
      shutDown: () => made.then((kubelet) => kubelet.shutDown()),
      stop: () => void made.then((kubelet) => kubelet.stop()),
    }
  }

  /**
   * Starts the servers as soon as etcd answers; resolves when everything that was declared runs. Rejects with what does
   * not, after a minute and a half.
   */
  async start(controlPlanes: readonly ApiHost[]): Promise<void> {
    const { identity, tools, etcdUrls, speed, clock, faults, log, nodes: names, workloads } = this.#options
    const { signal } = this.#end
    const addresses = controlPlanes.map(({ address }) => address)
    const { api, port } = await this.#servers.start({ tools, identity, etcdUrls, addresses, speed, signal })
    this.#api = api
    const vip = virtualIp(identity.endpoint, controlPlanes)
    this.#entrances = new Entrances(
      controlPlanes.map((host) => this.#guarded(host)),
      { vip, inner: port },
    )
    await this.#entrances.open()
    const pods = new Informer(api, '/api/v1/pods')
    const nodes = new Informer(api, '/api/v1/nodes')
    const budgets = new Informer(api, '/apis/policy/v1/poddisruptionbudgets')
    this.#witness = new Witness({ log, pods, nodes, budgets, nodeOf: (machine) => this.#nodeOf(machine) })
    await Promise.all([pods, nodes, budgets].map((informer) => informer.start(signal)))
    this.#seen = { nodes, pods }
    const storage = new Storage({ api, clock, faults, log, signal })
    const { isReady: volumesReady, announce: announceStorage } = storage
    this.#begin({ api, pods, nodes, volumesReady, announceStorage, clock, faults, log, speed })
    new KubernetesFaults({
      ...{ api, pods, clock, signal },
      kubelets: this.#kubelets,
      board: faults,
      close: (node, closed) => this.#shut(node, closed),
      ...{ authority: identity.authority, etcdUrls },
    })
    await storage.start()
    if (this.#options.operators.includes('longhorn')) await new Longhorn({ api, storage, nodes: names, signal }).start()
    if (this.#options.operators.includes('cloudnative-pg'))
      new CloudNativePg({ api, pods, nodes, clock, log, signal }).start()
    const bootstrap = bootstrapManifests(this.#options.kubernetesVersion)
    await applyManifests(api, bootstrap, signal)
    // the scheduler spreads the workloads over all nodes only when it may use all of them
    const deadline = Date.now() + runningWithinMs
    await this.#untilNone(() => names.filter((name) => !isOpen(nodes.find(name))), deadline)
    await applyManifests(api, workloads, signal)
    await this.#untilNone(() => notRunning(api, [...bootstrap, ...workloads]), deadline)
  }

  /** The Node of the machine as the API server has it; undefined until it has registered. */
  report(name: string): KubeNodeReport | undefined {
    const nodename = this.#nodeOf(name)
    const node = this.#seen?.nodes.find(nodename)
    if (node === undefined) return undefined
    const pods = this.#seen?.pods.all().filter((pod) => pod.spec?.nodeName === nodename && isReady(pod)) ?? []
    return { ready: isReady(node), cordoned: node.spec?.unschedulable === true, pods: pods.length }
  }

  kubeconfig(): Promise<string> {
    return kubeconfig(this.#options.identity)
  }

  async stop(): Promise<void> {
    this.#end.abort(new Error('the lab goes down'))
    await this.#entrances?.close()
    await this.#servers.stop()
    this.#api?.close()
  }

  async #untilNone(look: () => string[] | Promise<string[]>, deadline: number): Promise<void> {
    for (;;) {
      const left = await look()
      if (left.length === 0) return
      if (Date.now() > deadline) throw new Error(`these do not run: ${left.join(', ')}`)
      await setTimeout(lookAgainMs)
      this.#end.signal.throwIfAborted()
    }
  }

  /** Name of the Node that a machine has since its last boot. */
  #nodeOf(machine: string): string {
    return this.#kubelets.get(machine)?.name ?? machine
  }

  /** The control plane's own API server, as a fault leaves it. */
  #guarded(host: ApiHost): ApiHost {
    return {
      name: host.name,
      address: host.address,
      apiReachability: () => (this.#closed.has(host.name) ? 'refuses' : host.apiReachability()),
      on: (changed) => {
        this.#closedChanged.add(changed)
        const stop = host.on(changed)
        return () => {
          this.#closedChanged.delete(changed)
          stop()
        }
      },
    }
  }

  #shut(node: string, closed: boolean): void {
    if (closed) this.#closed.add(node)
    else this.#closed.delete(node)
    for (const changed of [...this.#closedChanged]) changed()
  }
}

/** Ready, and without the taint that a new node has for some moments longer. */
function isOpen(node: KubeObject | undefined): boolean {
  const taints = (node?.spec?.taints ?? []) as { key: string }[]
  return isReady(node) && !taints.some(({ key }) => key === 'node.kubernetes.io/not-ready')
}
