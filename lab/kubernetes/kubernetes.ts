import { virtualIp } from '../addresses.ts'
import type { Clock } from '../clock.ts'
import type { FaultBoard } from '../fault-board.ts'
import type { LabLog } from '../log.ts'
import type { ApiClient } from './api-client.ts'
import { bootstrapManifests } from './bootstrap-manifests.ts'
import type { ClusterIdentity } from './cluster-identity.ts'
import { type ApiHost, Entrances } from './entrances.ts'
import { Informer } from './informer.ts'
import { kubeconfig } from './kubeconfig.ts'
import { type Boot, Kubelet, type KubeletOptions, type KubeletWorld } from './kubelet.ts'
import { applyManifests } from './manifests.ts'
import { type AuditEvent, type KubernetesTools, Servers } from './servers.ts'

/** What a machine does with its kubelet. */
export type MachineKubelet = {
  /** registers the node, and begins */
  start(boot: Boot): void
  /** resolves when the API server has it that the node is ready */
  becomeReady(): Promise<void>
  shutDown(): Promise<void>
  stop(): void
}

export type KubernetesOptions = {
  identity: ClusterIdentity
  tools: KubernetesTools
  dir: string
  etcdUrls: readonly string[]
  kubernetesVersion: string
  clock: Clock
  speed: number
  faults: FaultBoard
  log: LabLog
}

/** The Kubernetes of a lab: real servers, simulated kubelets, and what runs in it from the start. */
export class LabKubernetes {
  readonly #options: KubernetesOptions
  readonly #servers: Servers
  readonly #end = new AbortController()
  readonly #world: Promise<KubeletWorld>
  #begin: (world: KubeletWorld) => void = () => undefined
  #api: ApiClient | undefined
  #entrances: Entrances | undefined

  constructor(options: KubernetesOptions) {
    this.#options = options
    this.#servers = new Servers({ dir: options.dir, onAudit: (event) => this.#noteAudit(event) })
    this.#world = new Promise((resolve) => (this.#begin = resolve))
  }

  /** The kubelet of one machine; what it is asked before the API server is there waits for it. */
  kubelet(options: Omit<KubeletOptions, 'tainted'>): MachineKubelet {
    const tainted = options.role === 'controlplane' && !this.#options.identity.schedulesOnControlPlanes
    const made = this.#world.then((world) => new Kubelet({ ...options, tainted }, world))
    return {
      start: (boot) => void made.then((kubelet) => kubelet.start(boot)),
      becomeReady: () => made.then((kubelet) => kubelet.becomeReady()),
      shutDown: () => made.then((kubelet) => kubelet.shutDown()),
      stop: () => void made.then((kubelet) => kubelet.stop()),
    }
  }

  /** Starts the servers as soon as etcd answers; resolves when what runs in every cluster is applied. */
  async start(controlPlanes: readonly ApiHost[]): Promise<void> {
    const { identity, tools, etcdUrls, speed, clock, faults, log } = this.#options
    const { signal } = this.#end
    const addresses = controlPlanes.map(({ address }) => address)
    const { api, port } = await this.#servers.start({ tools, identity, etcdUrls, addresses, speed, signal })
    this.#api = api
    const vip = virtualIp(identity.endpoint, controlPlanes)
    this.#entrances = new Entrances(controlPlanes, { vip, inner: port })
    await this.#entrances.open()
    const pods = new Informer(api, '/api/v1/pods')
    await pods.start(signal)
    this.#begin({ api, pods, volumesReady: () => true, clock, faults, log, speed })
    await applyManifests(api, bootstrapManifests(this.#options.kubernetesVersion), signal)
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

  #noteAudit(_event: AuditEvent): void {}
}
