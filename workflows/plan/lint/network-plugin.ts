import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { patched, type Subject } from './subject.ts'

/** Exactly one network plugin, and exactly one who serves the services of Kubernetes. */
export function networkPlugin({ talconfig, nodes, cilium }: Subject): Problem[] {
  return nodes.flatMap((node) => {
    const cni = patched(node, 'cluster', 'network', 'cni', 'name') ?? given(talconfig.get('cniConfig', 'name'))
    const proxy = patched(node, 'cluster', 'proxy', 'disabled')
    const without = cni?.value === 'none'
    const proxyOff = proxy?.value === true
    if (!cilium)
      return without && !proxyOff
        ? [
            warning(
              cni.key(
                'no network plugin is configured here: nodes stay NotReady until one is installed',
                'cniConfig: {name: flannel}, or the values of Cilium beside the templates',
              ),
            ),
          ]
        : []
    const replacement = cilium.get('kubeProxyReplacement')
    const replaces = ['true', 'strict'].includes(String(replacement.value))
    return [
      ...(without
        ? []
        : [
            warning(
              (cni ?? talconfig.get('clusterName')).key(
                'Cilium and the plugin that Talos installs would both be there',
                'cniConfig: {name: none}',
              ),
            ),
          ]),
      ...(replaces && !proxyOff
        ? [
            warning(
              replacement.key('Cilium replaces kube-proxy, and Talos runs it', 'cluster: {proxy: {disabled: true}}'),
            ),
          ]
        : []),
      ...(proxyOff && !replaces
        ? [
            proxy.key(
              'kube-proxy is off, and Cilium does not replace it: no service would work',
              'kubeProxyReplacement: true',
            ),
          ]
        : []),
    ]
  })
}

const given = (place: Place): Place | undefined => (place.value === undefined ? undefined : place)
