/** The text of a talenv.yaml of so many nodes, three of them control planes, as Terraform would write it. */
export function talenvOf(count: number, cluster = 'cluster-7'): string {
  const nodes = Array.from({ length: count }, (_, index) => {
    const address = `10.0.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`
    return `  - hostname: node-${index + 1}
    ipAddress: ${address}
    controlPlane: ${index < 3}
    diskSelector: { model: Portable SSD T5 }
    extensions: [siderolabs/iscsi-tools]
    interfaces: [{ name: enp3s0f0, addresses: [${address}/16], routes: [{ network: 0.0.0.0/0, gateway: 10.0.0.1 }] }]
`
  })
  return `cluster:
  name: ${cluster}
  id: ${cluster.replace('cluster-', '')}
  endpoint: https://10.0.0.10:6443
  vip: 10.0.0.10
  gateway: 10.0.0.1
  talosVersion: v1.13.9
  kubernetesVersion: v1.36.1
  nodeCidrs: [10.0.0.0/16]
nodes:
${nodes.join('')}`
}
