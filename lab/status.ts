import type { ControlReply, KubeNodeReport } from './control.ts'

/** The lab's state as lines for a terminal: a row for each node, then the faults. */
export function describeLab(reply: ControlReply): string[] {
  const nodes = reply.nodes ?? []
  const rows = nodes.map((node) => {
    const waiting =
      node.defaultSlot !== node.runningSlot
        ? `, ${node.slots[node.defaultSlot]?.version} waits in ${node.defaultSlot}`
        : ''
    const etcd = node.etcd === undefined ? '-' : node.etcd.healthy ? 'healthy' : node.etcd.pid ? 'starting' : 'stopped'
    const stage = node.reachability === 'refuses' ? 'down' : `${node.stage}${node.ready ? ', ready' : ''}`
    return [
      node.name,
      node.address,
      node.role,
      node.reachability === 'silent' ? `${stage}, unreachable` : stage,
      `${node.version} in ${node.runningSlot}${waiting}`,
      etcd,
      describeKubernetes(node.kubernetes),
    ]
  })
  const table = [['NODE', 'ADDRESS', 'ROLE', 'STAGE', 'VERSION', 'ETCD', 'KUBERNETES'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  const { inForce = [], waiting = [] } = reply.faults ?? {}
  return [
    ...table.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    ...inForce.map((fault) => `fault in force: ${fault.name} on ${fault.node}`),
    ...waiting.map((fault) => `fault waiting for "${fault.when}": ${fault.name} on ${fault.node}`),
  ]
}

function describeKubernetes(node: KubeNodeReport | undefined): string {
  if (node === undefined) return '-'
  const state = `${node.ready ? 'ready' : 'not ready'}${node.cordoned ? ', cordoned' : ''}`
  return `${state}, ${node.pods} ${node.pods === 1 ? 'pod' : 'pods'} ready`
}
