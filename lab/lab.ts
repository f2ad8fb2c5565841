import { join } from 'node:path'
import { serveNodes } from './api/serve-nodes.ts'
import { scaledClock } from './clock.ts'
import type { ControlReply, ControlRequest } from './control.ts'
import { EtcdMember } from './etcd-member.ts'
import { writeThroughAll } from './etcd-writer.ts'
import { FaultBoard } from './fault-board.ts'
import { clusterIdentity } from './kubernetes/cluster-identity.ts'
import { LabKubernetes } from './kubernetes/kubernetes.ts'
import type { LabConfig } from './lab-config.ts'
import { LabLog } from './log.ts'
import { Machine } from './machine.ts'

/** A lab that runs in this process. */
export type Lab = {
  /** resolves when every node is ready, etcd has quorum, and the declared faults are in force */
  up: Promise<void>
  handle(request: ControlRequest): Promise<ControlReply>
  stop(): Promise<void>
}

/** Starts the cluster that `config` describes; fails when an address cannot be used. */
export async function startLab(
  config: LabConfig,
  paths: { log: string; etcd: string; kubernetes: string },
): Promise<Lab> {
  const log = new LabLog({ path: paths.log })
  const clock = scaledClock(config.speed)
  const faults = new FaultBoard({
    log,
    nodes: new Map(config.nodes.map(({ name, role }) => [name, role])),
    kubernetes: config.kubernetes !== undefined,
  })
  const controlPlanes = config.nodes.filter(({ role }) => role === 'controlplane')
  const members = controlPlanes.map(
    ({ name, address }) =>
      new EtcdMember({
        name,
        address,
        cluster: controlPlanes,
        etcdPaths: config.etcdPaths,
        dataDir: join(paths.etcd, name),
        log,
      }),
  )
  const kubernetes =
    config.kubernetes === undefined
      ? undefined
      : new LabKubernetes({
          identity: clusterIdentity(controlPlanes[0]?.machineConfig ?? ''),
          ...config.kubernetes,
          nodes: config.nodes.map(({ name }) => name),
          dir: paths.kubernetes,
          etcdUrls: members.map(({ clientUrl }) => clientUrl),
          kubernetesVersion: controlPlanes[0]?.kubernetesVersion ?? '',
          speed: config.speed,
          ...{ clock, faults, log },
        })
  const machines = config.nodes.map((node) => {
    const etcd = members.find(({ name }) => name === node.name)
    const { timings, schematics } = config
    const within =
      kubernetes === undefined
        ? {}
        : { kubernetes: { kubelet: kubernetes.kubelet(node), kubeconfig: () => kubernetes.kubeconfig() } }
    return new Machine({
      ...node,
      ...{ timings, schematics, clock, faults, log },
      ...(etcd === undefined ? {} : { etcd }),
      ...within,
    })
  })
  const api = await serveNodes({ nodes: machines, authority: config.authority })
  let isUp = false
  const writers = new AbortController()
  let writing: { stop(): Promise<void> } | undefined

  const hosts = machines.filter(({ role }) => role === 'controlplane')
  const up = Promise.all([allReady(machines), kubernetes?.start(hosts)]).then(async () => {
    const nodes = config.nodes.map(({ name, role, version }) => ({ name, role, version }))
    log.append({ type: 'lab.up', speed: config.speed, nodes })
    if (!writers.signal.aborted) writing = writeThroughAll(members, log)
    for (const fault of config.faults) await faults.inject(fault)
    isUp = true
  })
  for (const machine of machines) machine.start()

  const status = (): ControlReply => ({
    pid: process.pid,
    up: isUp,
    speed: config.speed,
    faults: faults.list(),
    nodes: machines.map((machine) => {
      const { stage, ready, version, bootId, slots, runningSlot, defaultSlot } = machine.state()
      const { name, address, role, etcd } = machine
      const kubeNode = kubernetes?.report(name)
      return {
        ...{ name, address, role, stage, ready, version, bootId, slots, runningSlot, defaultSlot },
        reachability: machine.reachability(),
        ...(etcd === undefined ? {} : { etcd: { pid: etcd.pid, healthy: etcd.healthy } }),
        ...(kubeNode === undefined ? {} : { kubernetes: kubeNode }),
      }
    }),
  })

  return {
    up,
    async handle(request) {
      if (request.verb === 'inject') await faults.inject(request.fault)
      if (request.verb === 'cure') return { cured: await faults.cure(request) }
      return status()
    },
    async stop() {
      log.append({ type: 'lab.down' })
      writers.abort()
      await writing?.stop()
      await Promise.all([...machines.map((machine) => machine.halt()), kubernetes?.stop()])
      await api.close()
      log.close()
    },
  }
}

function allReady(machines: readonly Machine[]): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!machines.every((machine) => machine.ready)) return
      for (const stop of stops) stop()
      resolve()
    }
    const stops = machines.map((machine) => machine.on(look))
    look()
  })
}
