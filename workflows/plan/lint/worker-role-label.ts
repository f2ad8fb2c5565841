import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { ofNode, type Subject, type SubjectNode } from './subject.ts'

/**
 * Talos writes labels as the node's kubelet, whom NodeRestriction forbids those of roles; it can not be switched off in
 * Talos. On control planes Talos sets the label of the role itself, as an administrator.
 */
export function workerRoleLabel({ nodes }: Subject): Problem[] {
  const workers = nodes.filter(({ controlPlane }) => !controlPlane)
  return workers.flatMap((worker) =>
    labelsOf(worker).flatMap((labels) =>
      labels
        .entries()
        .filter(([label]) => label.startsWith('node-role.kubernetes.io/'))
        .map(([label, place]) => {
          const labelled = workers.filter((one) => labelsOf(one).some(({ value }) => value === labels.value))
          return warning(
            place.key(
              `Kubernetes does not let a worker give itself the label ${label}`,
              `once it has joined: kubectl label node ${labelled.map(({ hostname }) => hostname).join(' ')} ${label}=${place.value ?? ''}`,
            ),
          )
        }),
    ),
  )
}

const labelsOf = (node: SubjectNode): Place[] => {
  const declared = ofNode(node, 'nodeLabels')
  const patches = [...node.patches, ...node.global].flatMap(({ configs }) => configs)
  return [...(declared ? [declared] : []), ...patches.map((config) => config.get('machine', 'nodeLabels'))]
}
