/**
 * A Talos cluster inside the test's own process, for questions about the engine: it keeps its promises about slots and
 * boots, counts what is done to it, and outlives any number of "processes" that drive it.
 */

import type { Talos } from '../../scripts/cluster/talos.ts'
import type { Cluster } from '../../workflows/model/cluster.ts'
import type { EtcdObservation, NodeFacts, OtherSlot } from '../../workflows/model/observation.ts'
import { defaultOperations } from './default-operations.ts'
import { addressOf, fakeKubernetes } from './fake-kubernetes.ts'
import { kubernetesPlan, nodePlan, upgradePlan } from './upgrade-plan.ts'

export type FakeNode = {
  version: string
  boots: number
  waiting?: string
  installing?: string
  installs: number
  reboots: number
  leader: boolean
  /** its etcd member does not answer */
  lost: boolean
  /** its etcd member has raised NOSPACE */
  alarm: boolean
  /** its log has lost its beginning in this boot */
  wrapped: boolean
  /** hash of its machine configuration */
  configuration: string
  /** what the target has against that */
  objection?: string
}

const ok = <T>(value: T) => ({ ok: true as const, value })
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export function fakeCluster(names: readonly string[], { etcdMs = 5_000 } = {}) {
  const nodes = new Map<string, FakeNode>(
    names.map((name, i) => [
      name,
      {
        ...{ version: 'v1.13.5', boots: 0, installs: 0, reboots: 0, leader: i === names.length - 1 },
        ...{ lost: false, alarm: false, wrapped: false, configuration: 'h' },
      },
    ]),
  )
  const at = (name: string): FakeNode => {
    const node = nodes.get(name)
    if (!node) throw new Error(`no node ${name}`)
    return node
  }
  const bootId = (name: string) => `${name}-boot-${at(name).boots}`
  const kubernetes = fakeKubernetes(names, bootId)
  let moved: Readonly<Record<string, string>> = {}
  /** The machine that answers at the address of a node. */
  const behind = ({ name }: { name: string }): string => moved[name] ?? name
  const snapshots: string[] = []
  const trouble: string[] = []

  const factsOf = (name: string): NodeFacts => {
    const { version, waiting, installing, wrapped } = at(name)
    const otherSlot = ((): OtherSlot => {
      if (wrapped) return { state: 'unknown', why: 'wrapped' }
      if (installing) return { state: 'installing', image: installing }
      return waiting ? { state: 'installed', image: waiting } : { state: 'quiet' }
    })()
    return {
      version,
      stage: 'running',
      ready: true,
      unmet: [],
      bootId: bootId(name),
      schematic: 's',
      extensions: [],
      platform: 'metal',
      secureBoot: false,
      role: 'controlplane',
      nodename: kubernetes.nameOf(name),
      otherSlot,
    }
  }

  const etcdOf = (asked: readonly { name: string }[]): EtcdObservation => ({
    members: asked.map((n) => ({
      node: n.name,
      id: n.name,
      started: true,
      learner: false,
      leader: at(n.name).leader,
      answers: !at(n.name).lost,
      appliedIndex: 1,
      raftIndex: 1,
      errors: [],
    })),
    undeclared: [],
    disagreements: [],
    alarms: asked.filter((n) => at(n.name).alarm).map((n) => ({ node: n.name, kind: 'NOSPACE' })),
    unread: [],
  })

  const boot = (name: string): void => {
    const node = at(name)
    node.boots++
    node.lost = false
    node.wrapped = false
    if (node.waiting) node.version = node.waiting.slice(node.waiting.lastIndexOf(':') + 1)
    delete node.waiting
  }
  const lead = (name: string): void => {
    for (const [other, node] of nodes) node.leader = other === name
  }

  /** What one process may ask; once that process is dead its calls never come back, and what it began goes on. */
  function connect(isDead: () => boolean): Talos {
    const answer = async <T>(value: () => T): Promise<T> => {
      await turn()
      return isDead() ? new Promise<T>(() => {}) : value()
    }
    const goDown = async (asked: { name: string }) => {
      await turn()
      if (isDead()) return new Promise<never>(() => {})
      const name = behind(asked)
      const node = at(name)
      if (node.leader) trouble.push(`${name} led etcd when it was rebooted`)
      const left = kubernetes.podsOn(kubernetes.nameOf(name))
      if (left.length > 0) trouble.push(`${name} was rebooted with ${left.join(', ')} on it`)
      node.reboots++
      boot(name)
      return answer(() => ok(undefined))
    }
    return {
      verificationPatterns: () => answer(() => ok([])),
      observeNodes: (asked) =>
        answer(() =>
          Object.fromEntries(asked.map((n) => [n.name, { reachable: true as const, ...factsOf(behind(n)) }])),
        ),
      observeEtcd: (asked) => answer(() => etcdOf(asked)),
      etcdStatus: (asked) => answer(() => etcdOf(asked)),
      stages: (asked) =>
        answer(() => Object.fromEntries(asked.map((n) => [n.name, ok({ stage: 'running', ready: true, unmet: [] })]))),
      kernelCmdline: () => answer(() => undefined),
      configurations: (asked, { judge }) =>
        answer(() =>
          Object.fromEntries(
            asked.map(({ name }) => {
              const { configuration: hash, objection } = at(behind({ name }))
              const judged = judge?.modes[name] && { for: judge.to, ...(objection === undefined ? {} : { objection }) }
              return [name, ok({ hash, pending: 'nothing' as const, ...(judged && { judged }) })]
            }),
          ),
        ),
      inspect: (n) => answer(() => ok(factsOf(behind(n)))),
      otherSlot: (n) => answer(() => ok(factsOf(behind(n)))),
      glance: (n) =>
        answer(() =>
          ok({
            ...{ version: at(behind(n)).version, bootId: bootId(behind(n)) },
            ...{ stage: 'running', ready: true, unmet: [] },
          }),
        ),
      identity: (n) => answer(() => ok({ bootId: bootId(behind(n)), nodename: kubernetes.nameOf(behind(n)) })),
      watchStage: (_, seen) => answer(() => seen({ stage: 'running', ready: true, unmet: [] })),
      pull: () => answer(() => ok(undefined)),
      async install(asked, image) {
        await turn()
        if (isDead()) return new Promise(() => {})
        const name = behind(asked)
        const node = at(name)
        if (node.waiting || node.installing) trouble.push(`${name} was installed twice between two boots`)
        node.installing = image
        node.installs++
        for (let i = 0; i < 5; i++) await turn()
        delete node.installing
        node.waiting = image
        return answer(() => ok(undefined))
      },
      async upgradeLegacy(node, image) {
        at(behind(node)).waiting = image
        at(behind(node)).installs++
        return goDown(node)
      },
      reboot: goDown,
      forfeitLeadership: ({ name }) =>
        answer(() => {
          const heir = names.find((n) => n !== name)
          if (heir) lead(heir)
          return ok(undefined)
        }),
      kubeconfig: () => answer(() => ok(undefined)),
      snapshot: (_, path) =>
        answer(() => {
          snapshots.push(path)
          return ok({ info: 'hash 1' })
        }),
    }
  }

  const cluster: Cluster = {
    id: '7',
    name: 'cluster-7',
    talosVersion: 'v1.13.9',
    kubernetesVersion: 'v1.36.1',
    endpointHost: '127.0.0.1',
    nodes: names.map((name) => ({ name, address: addressOf(names, name), role: 'controlplane' })),
    operations: {
      ...defaultOperations,
      upgrade: { ...defaultOperations.upgrade, soakMs: 0 },
      etcd: { acceptOutage: false, lagBound: 100, keepSnapshots: 3 },
      deadlines: {
        observeMs: 5000,
        pullMs: 5000,
        installMs: 5000,
        rebootMs: 5000,
        readyMs: 5000,
        etcdMs,
        snapshotMs: 5000,
      },
    },
  }
  const plan = upgradePlan(
    names.map((name) =>
      nodePlan(name, 'controlplane', {
        address: addressOf(names, name),
        before: { bootId: bootId(name) },
        kubernetes: kubernetesPlan({ name }),
      }),
    ),
  )
  return {
    ...{ cluster, plan, nodes, snapshots, trouble, connect, kubernetes },
    /** somebody boots the node: into what waits there, where something does */
    boot,
    /** somebody moves etcd's leadership there */
    lead,
    /** from now on the addresses of these nodes answer as those machines */
    move: (whose: Readonly<Record<string, string>>): void => {
      moved = whose
    },
  }
}
