import { ApiError, type LabNode } from '../lab-node.ts'
import { type Method, streaming } from './method.ts'
import { signalled } from './signalled.ts'

type Request = {
  wait_timeout: { seconds: string; nanos: number } | null
  cluster_info: { control_plane_nodes: string[]; worker_nodes: string[] } | null
}

/** How often a node looks again when nothing told it to: real nodes poll every five seconds. */
const pollMs = 1000

/** cluster.ClusterService: the health check that a control plane runs for the whole cluster. */
export const clusterService: Readonly<Record<string, Method>> = {
  '/cluster.ClusterService/HealthCheck': streaming<Request>(
    { request: 'cluster.HealthCheckRequest', response: 'cluster.HealthCheckProgress' },
    async function* ({ node, cluster, signal }, { wait_timeout, cluster_info }) {
      if (node.role !== 'controlplane') {
        throw new ApiError('UNIMPLEMENTED', 'cluster health check is only available on control plane nodes')
      }
      const listed = [...(cluster_info?.control_plane_nodes ?? []), ...(cluster_info?.worker_nodes ?? [])]
      const nodes = listed.length === 0 ? cluster : cluster.filter(({ address }) => listed.includes(address))
      const unknown = listed.filter((address) => !cluster.some((member) => member.address === address))
      const names = [...nodes.map(({ address }) => address), ...unknown]
      yield { message: `discovered nodes: [${names.map((address) => JSON.stringify(address)).join(' ')}]` }
      const timeoutMs = Number(wait_timeout?.seconds ?? 0) * 1000 + (wait_timeout?.nanos ?? 0) / 1e6
      const deadline = AbortSignal.timeout(timeoutMs)
      for (const { title, objections } of checks) {
        let last = ''
        for await (const _ of signalled(onChangeOf(nodes), AbortSignal.any([signal, deadline]))) {
          const found = [...(await objections(nodes)), ...unknown.map((address) => `${address}: no such member`)]
          const line = `waiting for ${title}: ${found.length === 0 ? 'OK' : found.join(', ')}`
          if (line !== last) yield { message: line }
          last = line
          if (found.length === 0) break
        }
        if (signal.aborted) return
        if (deadline.aborted) throw new ApiError('DEADLINE_EXCEEDED', 'context deadline exceeded')
      }
    },
  ),
}

type Check = { title: string; objections(nodes: readonly LabNode[]): string[] | Promise<string[]> }

/** The checks that mean something here, in Talos' order (pkg/cluster/check/default.go). */
const checks: readonly Check[] = [
  { title: 'etcd to be healthy', objections: (nodes) => nodes.filter(isControlPlane).flatMap(service('etcd')) },
  { title: 'etcd members to be consistent across nodes', objections: inconsistentMembers },
  { title: 'apid to be ready', objections: (nodes) => nodes.flatMap(unreachable) },
  { title: 'kubelet to be healthy', objections: (nodes) => nodes.filter(isControlPlane).flatMap(service('kubelet')) },
  {
    title: 'all nodes to finish boot sequence',
    objections: (nodes) =>
      nodes
        .filter((node) => node.state().stage !== 'running')
        .map((node) => `${node.address}: unexpected stage ${node.state().stage}`),
  },
  {
    title: 'all k8s nodes to report ready',
    objections: (nodes) =>
      nodes.flatMap((node) => node.state().unmetConditions.map(({ reason }) => `${node.address}: ${reason}`)),
  },
]

const isControlPlane = ({ role }: LabNode): boolean => role === 'controlplane'

const unreachable = (node: LabNode): string[] =>
  node.reachability() === 'answers' ? [] : [`${node.address}: connection refused`]

const service =
  (id: string) =>
  (node: LabNode): string[] => {
    if (node.reachability() !== 'answers') return unreachable(node)
    const found = node.state().services.find((candidate) => candidate.id === id)
    if (found === undefined) return [`${node.address}: service "${id}" not found`]
    if (!found.running) return [`${node.address}: service "${id}" is not running`]
    return found.healthy ? [] : [`${node.address}: service is not healthy: ${id}`]
  }

async function inconsistentMembers(nodes: readonly LabNode[]): Promise<string[]> {
  const lists = await Promise.all(
    nodes.filter(isControlPlane).map(async ({ address, etcd }) => {
      try {
        return {
          address,
          members: ((await etcd?.members()) ?? [])
            .map(({ hostname }) => hostname)
            .sort()
            .join(' '),
        }
      } catch (failure) {
        return { address, error: failure instanceof Error ? failure.message : String(failure) }
      }
    }),
  )
  const [first] = lists
  return lists.flatMap((list) => {
    if (list.error !== undefined) return [`${list.address}: ${list.error}`]
    return list.members === first?.members ? [] : [`${list.address}: etcd member list differs`]
  })
}

const onChangeOf =
  (nodes: readonly LabNode[]) =>
  (wake: () => void): (() => void) => {
    const stops = nodes.map((node) => node.on((event) => event.type === 'state' && wake()))
    // etcd changes without a word of the machines
    const poll = setInterval(wake, pollMs)
    return () => {
      clearInterval(poll)
      for (const stop of stops) stop()
    }
  }
