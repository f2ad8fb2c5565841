import type { KubeNode, KubePod, Taint, Toleration } from '../../model/kubernetes.ts'
import { matchesExpression, matchesSelector } from './matches-selector.ts'

const HOST = 'kubernetes.io/hostname'

/**
 * Whether some other node could take the pod: ready, schedulable, and fit for its node selector, required affinity,
 * tolerations and required anti-affinity. How much memory and CPU are left is not looked at: only the scheduler knows.
 */
export const fitsElsewhere = (pod: KubePod, nodes: readonly KubeNode[], pods: readonly KubePod[]): boolean =>
  nodes.some((node) => node.name !== pod.node && takesPods(node) && fits(pod, node, pods))

/**
 * Whether new pods may come to the node at all; a cordon of ours that was left is lifted before anything else, and what a
 * read during a run does not tell apart is one of this run.
 */
export const takesPods = ({ ready, unschedulable, mark, staleMark }: KubeNode): boolean =>
  ready && (!unschedulable || mark !== undefined || staleMark?.beside === 'unknown-cordon')

function fits({ placement, ...pod }: KubePod, node: KubeNode, pods: readonly KubePod[]): boolean {
  const { nodeSelector, affinity, tolerations, apart } = placement
  const repels = ({ effect }: Taint) => effect === 'NoSchedule' || effect === 'NoExecute'
  return (
    matchesSelector({ matchLabels: nodeSelector }, node.labels) &&
    (affinity.length === 0 || affinity.some((term) => term.every((e) => matchesExpression(node.labels, e)))) &&
    node.taints.filter(repels).every((taint) => tolerations.some((toleration) => tolerates(toleration, taint))) &&
    apart
      .filter(({ topologyKey }) => topologyKey === HOST)
      .every(
        ({ selector, namespaces }) =>
          !pods.some(
            (other) =>
              other.node === node.name &&
              other.uid !== pod.uid &&
              !other.terminating &&
              namespaces.includes(other.namespace) &&
              matchesSelector(selector, other.labels),
          ),
      )
  )
}

function tolerates({ key, operator = 'Equal', value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== '' && effect !== taint.effect) return false
  if (key === undefined || key === '') return operator === 'Exists'
  if (key !== taint.key) return false
  return operator === 'Exists' || (value ?? '') === (taint.value ?? '')
}
