import type { Problem } from '../../model/problem.ts'
import { ofNode, type Subject } from './subject.ts'

/** The talosconfig's endpoints are the addresses of the control planes; the virtual IP is gone when etcd is. */
export function endpointIsVip({ nodes }: Subject): Problem[] {
  const vips = nodes
    .flatMap((node) => ofNode(node, 'networkInterfaces')?.items() ?? [])
    .flatMap((link) => [link, ...link.get('vlans').items()])
    .flatMap((link) => link.get('vip', 'ip').text() ?? [])
    .map(({ value }) => value)
  return nodes.flatMap(({ own, hostname }) => {
    const address = own.get('ipAddress').text()
    const vip = address?.value.split(',').find((one) => vips.includes(one.trim()))
    return address && vip
      ? [
          address.at(
            `${hostname} would be reached at the virtual IP ${vip}, which is gone when etcd is`,
            "the node's own address",
          ),
        ]
      : []
  })
}
