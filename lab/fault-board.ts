import { type FaultName, faultCatalogue, faultKind, isFaultName } from './fault-catalogue.ts'
import type { LoggedEvent } from './lab-event.ts'
import type { LabLog } from './log.ts'

/** What someone asks for, in lab.yaml or on the command line. */
export type FaultRequest = {
  name: string
  node: string
  /** machine seconds, for the faults that have a length */
  seconds?: number | undefined
  /** how often it happens before it is over */
  times?: number | undefined
  /** of install-fails: what the installer ends with, where it is one that tells codes apart */
  exitCode?: number | undefined
  /** `<node or any> <event of the log>`: the fault starts at the next such event, like `k8s-3 ready` */
  when?: string | undefined
}

/** A fault that is in force, or waits for its occasion. */
export type Fault = {
  name: FaultName
  node: string
  seconds: number
  timesLeft: number
  exitCode?: number
  when?: string
}

/** Told when a fault comes into force or ends; what it returns is awaited by the one who injected or cured it. */
export type FaultListener = (change: 'in force' | 'over', fault: Fault) => Promise<void> | undefined

const shortNames: Record<string, string> = {
  ready: 'machine.ready',
  cordoned: 'node.cordoned',
  uncordoned: 'node.uncordoned',
  evicted: 'pod.evicted',
  booting: 'machine.booting',
  running: 'machine.running',
  down: 'machine.down',
  'reboot-requested': 'reboot.requested',
  'pull-started': 'pull.started',
  'pull-finished': 'pull.finished',
  'install-started': 'install.started',
  'install-finished': 'install.finished',
}

/** Which faults are in force on which node; the machines ask it at the points where a fault could strike. */
export class FaultBoard {
  readonly #log: LabLog
  readonly #nodes: ReadonlyMap<string, 'controlplane' | 'worker'>
  readonly #listeners = new Set<FaultListener>()
  readonly #kubernetes: boolean
  #inForce: Fault[] = []
  #waiting: { fault: Fault; node: string; type: string }[] = []

  constructor(options: {
    log: LabLog
    nodes: ReadonlyMap<string, 'controlplane' | 'worker'>
    /** whether the lab runs Kubernetes */
    kubernetes?: boolean
  }) {
    this.#kubernetes = options.kubernetes ?? false
    this.#log = options.log
    this.#nodes = options.nodes
    this.#log.on((event) => this.#trigger(event))
  }

  on(listener: FaultListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  list(): { inForce: readonly Fault[]; waiting: readonly Fault[] } {
    return { inForce: this.#inForce, waiting: this.#waiting.map(({ fault }) => fault) }
  }

  /** Puts a fault in force, or on wait; rejects with a sentence when the request makes no sense. */
  async inject(request: FaultRequest): Promise<void> {
    const fault = this.#read(request)
    if (fault.when === undefined) return this.#start(fault)
    const [node = '', what = ''] = fault.when.trim().split(/\s+/)
    if (node !== 'any' && !this.#nodes.has(node)) throw new Error(`${node} is not a node of this lab`)
    const type = shortNames[what] ?? what
    if (!type.includes('.')) {
      throw new Error(`"${what}" is no event: ${Object.keys(shortNames).join(', ')}, or a type of the log`)
    }
    this.#waiting.push({ fault, node, type })
  }

  /** The fault of that name on `node`, without counting it as an occurrence. */
  find(name: FaultName, node: string): Fault | undefined {
    return this.#inForce.find((fault) => fault.name === name && fault.node === node)
  }

  /** The fault of that name on `node`, which strikes now: logged, and over after its last time. */
  strike(name: FaultName, node: string): Fault | undefined {
    const fault = this.find(name, node)
    if (fault === undefined) return undefined
    this.#log.append({ type: 'fault.fired', node, fault: name })
    fault.timesLeft -= 1
    if (fault.timesLeft <= 0) this.#end(fault, 'itself')
    return fault
  }

  /** Ends the faults that match; nothing given means all of them. Returns how many there were. */
  async cure(
    match: { name?: string | undefined; node?: string | undefined },
    by: 'hand' | 'itself' | 'reboot' = 'hand',
  ): Promise<number> {
    const fits = (fault: Fault) =>
      (match.name === undefined || fault.name === match.name) && (match.node === undefined || fault.node === match.node)
    const waiting = this.#waiting.filter(({ fault }) => fits(fault))
    this.#waiting = this.#waiting.filter(({ fault }) => !fits(fault))
    const ending = this.#inForce.filter(fits)
    await Promise.all(ending.map((fault) => this.#end(fault, by)))
    return waiting.length + ending.length
  }

  /**
   * Logs that the fault strikes and resolves when it is cured, at once if it is not in force; rejects when aborted.
   * For faults that hold something up: `times` does not end these.
   */
  async hold(name: FaultName, node: string, signal: AbortSignal): Promise<void> {
    const fault = this.find(name, node)
    if (fault === undefined) return
    this.#log.append({ type: 'fault.fired', node, fault: name })
    await new Promise<void>((resolve, reject) => {
      const stop = this.on((change, other) => {
        if (change === 'over' && other === fault) settle(resolve)
        return undefined
      })
      const settle = (how: () => void) => {
        stop()
        signal.removeEventListener('abort', aborted)
        how()
      }
      const aborted = () => settle(() => reject(signal.reason))
      if (signal.aborted) aborted()
      else signal.addEventListener('abort', aborted)
    })
  }

  #read(request: FaultRequest): Fault {
    if (!isFaultName(request.name)) {
      throw new Error(`there is no fault "${request.name}"; there are ${Object.keys(faultCatalogue).join(', ')}`)
    }
    const role = this.#nodes.get(request.node)
    if (role === undefined) {
      throw new Error(`${request.node} is not a node of this lab; ${[...this.#nodes.keys()].join(', ')} are`)
    }
    const kind = faultKind(request.name)
    if (kind.controlPlaneOnly && role !== 'controlplane') {
      throw new Error(`${request.node} is a worker: ${request.name} needs a control plane`)
    }
    if (kind.kubernetesOnly && !this.#kubernetes) {
      throw new Error(`this lab runs no Kubernetes: ${request.name} needs one`)
    }
    return {
      name: request.name,
      node: request.node,
      seconds: request.seconds ?? kind.seconds ?? 0,
      timesLeft: request.times ?? kind.times ?? Number.POSITIVE_INFINITY,
      ...(request.exitCode === undefined ? {} : { exitCode: request.exitCode }),
      ...(request.when === undefined ? {} : { when: request.when }),
    }
  }

  async #start(fault: Fault): Promise<void> {
    const previous = this.find(fault.name, fault.node)
    if (previous !== undefined) await this.#end(previous, 'itself')
    this.#inForce = [...this.#inForce, fault]
    const when = fault.when === undefined ? {} : { when: fault.when }
    this.#log.append({ type: 'fault.injected', node: fault.node, fault: fault.name, ...when })
    await this.#tell('in force', fault)
  }

  async #end(fault: Fault, by: 'hand' | 'itself' | 'reboot'): Promise<void> {
    if (!this.#inForce.includes(fault)) return
    this.#inForce = this.#inForce.filter((other) => other !== fault)
    this.#log.append({ type: 'fault.cured', node: fault.node, fault: fault.name, by })
    await this.#tell('over', fault)
  }

  async #tell(change: 'in force' | 'over', fault: Fault): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener(change, fault)))
  }

  #trigger(event: LoggedEvent): void {
    if (!('node' in event)) return
    const due = this.#waiting.filter(({ node, type }) => type === event.type && (node === 'any' || node === event.node))
    this.#waiting = this.#waiting.filter((waiting) => !due.includes(waiting))
    for (const { fault } of due) void this.#start(fault)
  }
}
