/**
 * A Kubernetes inside the test's own process: nodes that are cordoned under the guard of their versions, and pods that
 * move when they are evicted. It outlives any number of "processes" that drive it, and counts what was done to it.
 */
import type { Kubernetes, LeaseObject } from '../../scripts/cluster/kubernetes.ts'
import type { CordonMark, InstallMark, KubeNode, KubePod } from '../../workflows/model/kubernetes.ts'
import { FIELD_MANAGER, whoseCordon } from '../../workflows/plan/drain/whose-cordon.ts'

const ok = <T>(value: T) => ({ ok: true as const, value })

/** `bootIdOf` tells the boot in which the machine of a node runs. */
export function fakeKubernetes(
  names: readonly string[],
  bootIdOf: (name: string) => string,
  kubeletVersion = 'v1.36.1',
) {
  type Node = {
    unschedulable: boolean
    owner?: string
    mark?: CordonMark
    install?: InstallMark
    version: number
    machine: string
    ready: boolean
  }
  const nodes = new Map<string, Node>(
    names.map((name) => [name, { unschedulable: false, version: 1, machine: name, ready: true }]),
  )
  const pods = new Map<string, string>(names.flatMap((name) => [[`web-${name}`, name]]))
  const evictions = new Map<string, number>()
  let lease: LeaseObject | undefined
  let leases = 0
  const at = (name: string): Node => {
    const node = nodes.get(name)
    if (!node) throw new Error(`no node ${name}`)
    return node
  }
  const kubeNode = (name: string): KubeNode => {
    const { unschedulable, owner, mark, install, version, machine, ready } = at(name)
    return {
      name,
      addresses: [addressOf(names, machine)],
      ready,
      unschedulable,
      ...whoseCordon({ unschedulable, mark, owners: owner === undefined ? [] : [owner] }),
      ...(install ? { install } : {}),
      kubeletVersion,
      bootId: bootIdOf(machine),
      labels: {},
      taints: [],
      resourceVersion: String(version),
    }
  }
  const kubePod = (name: string): KubePod => ({
    namespace: 'default',
    name,
    uid: name,
    node: pods.get(name) ?? '',
    phase: 'Running',
    ready: true,
    terminating: false,
    graceMs: 30_000,
    finalizers: [],
    labels: {},
    controller: { kind: 'ReplicaSet', name: 'web' },
    mirror: false,
    emptyDirs: [],
    claims: [],
    placement: { nodeSelector: {}, affinity: [], tolerations: [], apart: [] },
  })
  const mirror = (node: string): KubePod => ({
    ...kubePod(`kube-apiserver-${node}`),
    node,
    mirror: true,
    controller: { kind: 'Node', name: node },
  })
  const registered = () => [...nodes.keys()]
  const all = (): KubePod[] => [...[...pods.keys()].map(kubePod), ...registered().map(mirror)]

  const write = (wanted: LeaseObject): LeaseObject => {
    leases += 1
    lease = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: String(leases) } }
    return lease
  }
  const isTheirs = ({ resourceVersion }: { resourceVersion?: string }): boolean =>
    resourceVersion === lease?.metadata.resourceVersion

  /** What one process may ask; once it is dead its calls never come back. */
  function connect(isDead: () => boolean): Kubernetes {
    const answer = async <T>(value: () => T): Promise<T> => {
      await new Promise<void>((resolve) => setImmediate(resolve))
      return isDead() ? new Promise<T>(() => {}) : value()
    }
    const change = (node: KubeNode, how: (now: Node) => void) =>
      answer(() => {
        const now = at(node.name)
        if (String(now.version) !== node.resourceVersion) return ok('conflict' as const)
        how(now)
        now.version += 1
        return ok('done' as const)
      })
    return {
      read: () => answer(() => ok({ nodes: registered().map(kubeNode), pods: all(), budgets: [], attachments: [] })),
      nodes: () => answer(() => ok(registered().map(kubeNode))),
      attachments: () => answer(() => ok([])),
      node: (name) => answer(() => ok(kubeNode(name))),
      // no stream: whoever waits has to read
      watchNodes: () => answer(() => undefined),
      watchPods: () => answer(() => undefined),
      podsOn: (name) => answer(() => ok(all().filter((pod) => pod.node === name))),
      tryEviction: () => answer(() => ok({ allowed: true, detail: '' })),
      review: () => answer(() => ok({ now: '2026-01-01T00:00:00Z', denied: [] })),
      tryGate: ({ name }) => answer(() => ok({ gate: name, state: 'met' as const, detail: '' })),
      waitForGate: () => answer(() => ok(undefined)),
      cordon: (node, mark) =>
        change(node, (now) => {
          now.unschedulable = true
          now.owner = FIELD_MANAGER
          now.mark = mark
        }),
      uncordon: (node) =>
        change(node, (now) => {
          now.unschedulable = false
          delete now.owner
          delete now.mark
        }),
      unmark: (node) =>
        change(node, (now) => {
          delete now.mark
        }),
      noteInstall: (name, mark) =>
        answer(() => {
          at(name).install = mark
          return ok(undefined)
        }),
      drain: (name) =>
        answer(() => {
          const heir = registered().find((other) => !at(other).unschedulable && at(other).ready)
          for (const [pod, node] of pods) {
            if (node !== name || heir === undefined) continue
            pods.set(pod, heir)
            evictions.set(pod, (evictions.get(pod) ?? 0) + 1)
          }
          return ok(undefined)
        }),
      readLease: () => answer(() => ok(lease)),
      createLease: (wanted) => answer(() => ok(lease ? ('conflict' as const) : write(wanted))),
      replaceLease: (wanted) => answer(() => ok(isTheirs(wanted.metadata) ? write(wanted) : ('conflict' as const))),
      deleteLease: (guard) =>
        answer(() => {
          if (!isTheirs(guard)) return ok('conflict' as const)
          lease = undefined
          return ok('done' as const)
        }),
    }
  }

  return {
    connect,
    /** names of the pods on a node */
    podsOn: (name: string) => [...pods].filter(([, node]) => node === name).map(([pod]) => pod),
    cordoned: () => registered().filter((name) => at(name).unschedulable),
    /** marks of ours, whatever they stand beside */
    marked: () => registered().filter((name) => at(name).mark),
    /** what a machine is called there: the Node that registered last */
    nameOf: (machine: string) => registered().findLast((name) => at(name).machine === machine) ?? machine,
    /** somebody gives the machine another name: its pods run under that, and the Node of the old one stays behind */
    rename(machine: string, to: string) {
      at(machine).ready = false
      nodes.set(to, { unschedulable: false, version: 1, machine, ready: true })
      for (const [pod, node] of pods) if (node === machine) pods.set(pod, to)
    },
    /** somebody else cordons the node, or a run that is over did */
    cordon(name: string, mark?: CordonMark) {
      if (!at(name).unschedulable) at(name).owner = mark ? FIELD_MANAGER : 'kubectl'
      at(name).unschedulable = true
      if (mark) at(name).mark = mark
      at(name).version += 1
    },
    /** somebody else lifts the cordon by kubectl, which leaves the mark, and the node is full again */
    refill(name: string) {
      at(name).unschedulable = false
      delete at(name).owner
      at(name).version += 1
      for (const pod of pods.keys()) pods.set(pod, name)
    },
    /** its Node tells of its installation what an earlier version of the program did */
    forgetConfiguration(name: string) {
      const { install } = at(name)
      if (install) at(name).install = { bootId: install.bootId, image: install.image, run: install.run }
    },
    /** the Lease, as somebody who holds it now has written it; undefined gives it back */
    hold(theirs: LeaseObject | undefined) {
      lease = undefined
      if (theirs) write(theirs)
    },
    evictions,
  }
}

/** The address of the node of that name. */
export const addressOf = (names: readonly string[], name: string): string => `127.0.0.${names.indexOf(name) + 1}`
