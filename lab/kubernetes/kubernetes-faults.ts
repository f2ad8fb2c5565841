import type { PemPair } from '../api/certificates.ts'
import type { Clock } from '../clock.ts'
import type { Fault, FaultBoard } from '../fault-board.ts'
import type { ApiClient, KubeObject } from './api-client.ts'
import { EvictionWebhook } from './eviction-webhook.ts'
import { hangPod, letPodGo } from './hanging-pod.ts'
import { ignoreMissing } from './ignore-missing.ts'
import type { Informer } from './informer.ts'
import type { Kubelet } from './kubelet.ts'
import { budgetOver, isEvictable } from './movable.ts'

const flapSeconds = { closed: 15, open: 10 }
const budgetLabel = 'lab/blocked-on'

/** The faults that act at once on the API server, on Node objects and on budgets; the others are met where they strike. */
export class KubernetesFaults {
  readonly #api: ApiClient
  readonly #pods: Informer
  readonly #kubelets: ReadonlyMap<string, Kubelet>
  readonly #clock: Clock
  readonly #board: FaultBoard
  readonly #signal: AbortSignal
  /** opens or closes the entrance to the API server of a control plane */
  readonly #close: (node: string, closed: boolean) => void
  readonly #webhook: EvictionWebhook
  readonly #etcdUrls: readonly string[]

  constructor(options: {
    api: ApiClient
    pods: Informer
    kubelets: ReadonlyMap<string, Kubelet>
    clock: Clock
    board: FaultBoard
    signal: AbortSignal
    close: (node: string, closed: boolean) => void
    authority: PemPair
    etcdUrls: readonly string[]
  }) {
    this.#api = options.api
    this.#pods = options.pods
    this.#kubelets = options.kubelets
    this.#clock = options.clock
    this.#board = options.board
    this.#signal = options.signal
    this.#close = options.close
    this.#etcdUrls = options.etcdUrls
    const { api, authority, signal } = options
    const refuses = (namespace: string, name: string) => this.#isRefused(this.#pods.find(name, namespace))
    this.#webhook = new EvictionWebhook({ api, authority, signal, refuses })
    options.board.on((change, fault) => (change === 'in force' ? this.#begin(fault) : this.#end(fault)))
  }

  async #begin(fault: Fault): Promise<void> {
    const { name, node } = fault
    switch (name) {
      case 'pdb-blocks-forever':
        return this.#forbid(node)
      case 'pdb-blocks-for':
        await this.#forbid(node)
        return this.#cureLater(fault)
      case 'apiserver-down-for':
        this.#close(node, true)
        return this.#cureLater(fault)
      case 'apiserver-flaps':
        void this.#flap(fault)
        return
      case 'foreign-cordon':
        await this.#api.patch(`/api/v1/nodes/${this.#nodeOf(node)}`, { spec: { unschedulable: true } })
        return
      case 'node-object-deleted':
        await this.#api.delete(`/api/v1/nodes/${this.#nodeOf(node)}`)
        return
      case 'pod-hangs':
        return hangPod(this.#api, this.#etcdUrls, this.#nodeOf(node))
      case 'evictions-refused':
        return this.#refuseEvictions(node)
      default:
        return
    }
  }

  async #end({ name, node }: Fault): Promise<void> {
    switch (name) {
      case 'pdb-blocks-forever':
      case 'pdb-blocks-for':
        return this.#allow(node)
      case 'apiserver-down-for':
      case 'apiserver-flaps':
        return this.#close(node, false)
      case 'foreign-cordon':
        await this.#api.patch(`/api/v1/nodes/${this.#nodeOf(node)}`, { spec: { unschedulable: null } })
        return
      case 'node-object-deleted':
        return this.#kubelets.get(node)?.register()
      case 'pod-hangs':
        return letPodGo(this.#api, this.#nodeOf(node))
      case 'evictions-refused':
        if (this.#board.list().inForce.some((fault) => fault.name === name)) return
        return this.#webhook.close()
      default:
        return
    }
  }

  /** Name of the Node that the machine has since its last boot. */
  #nodeOf(machine: string): string {
    return this.#kubelets.get(machine)?.name ?? machine
  }

  async #refuseEvictions(node: string): Promise<void> {
    const any = this.#pods.all().find((pod) => pod.spec.nodeName === this.#nodeOf(node))
    if (any === undefined) throw new Error(`there is no pod on ${node}`)
    const { namespace = '', name } = any.metadata
    await this.#webhook.open({ namespace, name })
  }

  /** Whether the pod is on a node whose evictions are refused. */
  #isRefused(pod: KubeObject | undefined): boolean {
    const [machine] = [...this.#kubelets].find(([, kubelet]) => kubelet.name === pod?.spec.nodeName) ?? []
    return machine !== undefined && this.#board.strike('evictions-refused', machine) !== undefined
  }

  #cureLater(fault: Fault): void {
    void this.#clock.sleep(fault.seconds, this.#signal).then(
      () => (this.#board.find(fault.name, fault.node) === fault ? this.#board.cure(fault, 'itself') : undefined),
      () => undefined,
    )
  }

  async #flap(fault: Fault): Promise<void> {
    while (this.#board.find(fault.name, fault.node) === fault && !this.#signal.aborted) {
      this.#close(fault.node, true)
      await this.#clock.sleep(flapSeconds.closed, this.#signal).catch(() => undefined)
      this.#close(fault.node, false)
      await this.#clock.sleep(flapSeconds.open, this.#signal).catch(() => undefined)
    }
  }

  /** Puts one pod of the node under a budget that allows no disruption, once there is one that a drain would evict. */
  async #forbid(node: string): Promise<void> {
    const { items: budgets } = await this.#api.get<{ items: KubeObject[] }>('/apis/policy/v1/poddisruptionbudgets')
    const evictable = this.#pods.all().filter((pod) => pod.spec.nodeName === this.#nodeOf(node) && isEvictable(pod))
    // under a second budget it could never be evicted at all, which is another trouble
    const pod = evictable.find((candidate) => budgetOver(candidate, budgets) === undefined)
    if (pod === undefined) throw new Error(`every pod on ${node} that would be evicted is under a budget already`)
    const { namespace, name } = pod.metadata
    await this.#api.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, {
      metadata: { labels: { [budgetLabel]: node } },
    })
    const spec = { minAvailable: 1, selector: { matchLabels: { [budgetLabel]: node } } }
    const budget: KubeObject = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: `lab-blocks-${node}` },
      spec,
    }
    await this.#api.create(`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, budget)
    const path = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/lab-blocks-${node}`
    // the controller has to have counted before the budget says anything
    for (let counted = false; !counted && !this.#signal.aborted; ) {
      const { status } = await this.#api.get(path)
      counted = status?.expectedPods === 1
      if (!counted) await this.#clock.sleep(1, this.#signal).catch(() => undefined)
    }
  }

  async #allow(node: string): Promise<void> {
    const { items } = await this.#api.get<{ items: KubeObject[] }>('/apis/policy/v1/poddisruptionbudgets')
    const budget = items.find(({ metadata }) => metadata.name === `lab-blocks-${node}`)
    if (budget === undefined) return
    const path = `/apis/policy/v1/namespaces/${budget.metadata.namespace}/poddisruptionbudgets/${budget.metadata.name}`
    await this.#api.delete(path).catch(ignoreMissing)
  }
}
