import type { LabLog } from '../log.ts'
import { type KubeObject, labAgent } from './api-client.ts'
import type { Informer } from './informer.ts'
import { budgetOver, couldRunOn, isEvictable } from './movable.ts'
import type { AuditEvent } from './servers.ts'

const markOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.['talos-workflows/cordon']

const runOf = (mark: string | undefined): string | undefined => {
  if (mark === undefined) return undefined
  try {
    return (JSON.parse(mark) as { run?: string }).run
  } catch {
    return undefined
  }
}

/** a drain may be at work on what was deleted later */
const hangsAfterMs = 5 * 60_000

/** Deleted long ago, and held back by somebody: no drain can move it. */
const hangs = ({ metadata }: KubeObject): boolean =>
  Date.now() - Date.parse(metadata.deletionTimestamp ?? '') > hangsAfterMs

type Objects = Pick<Informer, 'all' | 'find'>

/**
 * Writes down what is done to the Kubernetes of a lab, as the API server's audit log and the objects tell it: evictions,
 * deletions, cordons, the Lease, and what still ran on a node that is told to reboot.
 */
export class Witness {
  readonly #log: LabLog
  readonly #pods: Objects
  readonly #nodes: Objects
  readonly #budgets: Objects
  /** marks as they were last seen: one that stood there before the cordon is not of whoever cordoned */
  readonly #marks = new Map<string, string | undefined>()
  /** nodes that are cordoned, and by whom */
  readonly #cordons = new Map<string, { run?: string }>()

  constructor(options: {
    log: LabLog
    pods: Objects
    nodes: Objects
    budgets: Objects
    /** name of the Node that a machine has */
    nodeOf: (machine: string) => string
  }) {
    this.#log = options.log
    this.#pods = options.pods
    this.#nodes = options.nodes
    this.#budgets = options.budgets
    this.#log.on((event) => {
      if (event.type === 'reboot.requested') this.#noteLoad(event.node, options.nodeOf(event.node))
    })
  }

  /** One request that the audit policy lets through. */
  note(event: AuditEvent): void {
    const { verb, objectRef = {}, responseStatus, userAgent = '', requestURI, requestObject, responseObject } = event
    const { resource, subresource, namespace, name = '' } = objectRef
    const code = responseStatus?.code ?? 0
    const isLab = userAgent.startsWith(labAgent)
    const by = userAgent.split(' ')[0] ?? ''
    const isTried = requestURI.includes('dryRun=All')
    if (resource === 'nodes' && !isTried && code < 300 && responseObject) {
      this.#noteNode(responseObject, isLab ? 'lab' : by)
    }
    if (resource === 'pods' && subresource === 'eviction') {
      const dryRun = isTried || requestObject?.deleteOptions?.dryRun?.includes('All') === true
      // the lab tries whether its webhook is asked; what its machines evict is theirs
      if (!(isLab && dryRun)) this.#log.append({ type: 'pod.evicted', ...this.#where(namespace, name), code, dryRun })
    }
    if (resource === 'pods' && subresource === undefined && verb === 'delete' && !isLab && code < 300) {
      const where = this.#where(namespace, name)
      const budget = this.#forbidding(this.#pods.find(name, namespace))
      this.#log.append({ type: 'pod.deleted', ...where, by, ...(budget === undefined ? {} : { budget }) })
    }
    if (resource === 'leases' && (requestObject?.metadata?.name ?? name) === 'talos-workflows') {
      const { holderIdentity, leaseDurationSeconds } = (verb !== 'delete' && requestObject?.spec) || {}
      const holder = holderIdentity as string | undefined
      const seconds = leaseDurationSeconds as number | undefined
      if (code < 300) {
        const until = seconds === undefined ? {} : { seconds }
        this.#log.append({ type: 'lease.changed', ...(holder ? { holder, ...until } : {}) })
      } else if (code === 409 && verb === 'update' && holder) this.#log.append({ type: 'lease.refused', holder })
    }
  }

  #where(namespace = '', name: string): { node: string; pod: string } {
    return { node: this.#pods.find(name, namespace)?.spec.nodeName ?? '', pod: `${namespace}/${name}` }
  }

  /** The answer to a change says who made it; a watch that tells of it may be ahead of the audit log, or behind. */
  #noteNode(node: KubeObject, by: string): void {
    const { name } = node.metadata
    const before = this.#cordons.get(name)
    const isCordoned = node.spec?.unschedulable === true
    const mark = markOf(node)
    if (isCordoned && before === undefined) {
      const run = mark === this.#marks.get(name) ? undefined : runOf(mark)
      const cordon = run === undefined ? {} : { run }
      this.#cordons.set(name, cordon)
      this.#log.append({ type: 'node.cordoned', node: name, ...cordon })
    }
    if (!isCordoned && before !== undefined) {
      this.#cordons.delete(name)
      this.#log.append({ type: 'node.uncordoned', node: name, by, ...before })
    }
    this.#marks.set(name, mark)
  }

  /** What a drain would have moved and could have: those pods have somewhere to go. */
  #noteLoad(machine: string, name: string): void {
    const others = this.#nodes.all().filter((node) => node.metadata.name !== name)
    const pods = this.#pods.all()
    const evictable = pods
      .filter(
        (pod) =>
          pod.spec.nodeName === name &&
          isEvictable(pod) &&
          !hangs(pod) &&
          others.some((node) => couldRunOn(pod, node, pods)),
      )
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    this.#log.append({ type: 'node.loaded', node: machine, evictable })
  }

  /** A budget over the pod that allows no disruption now. */
  #forbidding(pod: KubeObject | undefined): string | undefined {
    if (pod === undefined) return undefined
    const forbidding = this.#budgets.all().filter(({ status }) => (status?.disruptionsAllowed ?? 0) === 0)
    return budgetOver(pod, forbidding)?.metadata.name
  }
}
