import { type Problem, warning } from '../../model/problem.ts'
import { patched, type Subject } from './subject.ts'

/** What Talos listens on where nothing else is said; on by default. */
const DEFAULT_PORT = 7445

/** Cilium reaches the Kubernetes API by way of KubePrism on its own node, so it has to be there, at that port. */
export function kubePrismAndCilium({ cilium, nodes }: Subject): Problem[] {
  if (!cilium || !['localhost', '127.0.0.1', '::1'].includes(String(cilium.get('k8sServiceHost').value))) return []
  const host = cilium.get('k8sServiceHost')
  const wanted = cilium.get('k8sServicePort')
  return nodes.flatMap((node) => {
    const off = patched(node, 'machine', 'features', 'kubePrism', 'enabled')
    if (off?.value === false) {
      const { file, line } = host.key('')
      return [
        warning(
          off.key(`Cilium asks KubePrism for the Kubernetes API, at ${file}:${line}`, 'kubePrism: {enabled: true}'),
        ),
      ]
    }
    const set = patched(node, 'machine', 'features', 'kubePrism', 'port')
    const port = String(set?.value ?? DEFAULT_PORT)
    if (wanted.value === undefined || String(wanted.value) === port) return []
    const from = set ? ` at ${set.key('').file}:${set.key('').line}` : ' by default'
    return [
      warning(
        wanted.key(`Cilium asks port ${wanted.value}, and KubePrism has ${port}${from}`, `k8sServicePort: ${port}`),
      ),
    ]
  })
}
