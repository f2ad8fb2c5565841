import type { Place } from '../../model/declaration/locate.ts'
import { type Problem, warning } from '../../model/problem.ts'
import { ofNode, patched, type Subject, type SubjectNode } from './subject.ts'

/** Where every node is a control plane, pods have to run on control planes. */
export function controlPlaneTaints({ talconfig, nodes }: Subject): Problem[] {
  if (nodes.length === 0 || nodes.some(({ controlPlane }) => !controlPlane)) return []
  const tainted = nodes.map(noSchedule)
  const taints = tainted.every((places) => places.length > 0)
    ? tainted
        .flat()
        .map((taint) =>
          taint.key('every node is a control plane, and pods are kept off all of them', 'remove the taint'),
        )
    : []
  const scheduling = ['allowSchedulingOnControlPlanes', 'allowSchedulingOnMasters'].some(
    (key) => talconfig.get(key).value === true,
  )
  const forbidden = nodes.every((node) => {
    const last = patched(node, 'cluster', 'allowSchedulingOnControlPlanes')?.value
    return last === undefined ? !scheduling : last !== true
  })
  return [
    ...taints,
    ...(forbidden
      ? [
          talconfig
            .get('nodes')
            .key(
              'every node is a control plane, and pods are kept off control planes by default',
              'allowSchedulingOnControlPlanes: true',
            ),
        ]
      : []),
  ].map(warning)
}

/** Taints of a node that keep pods off: `value:Effect`, or the effect alone. */
const noSchedule = (node: SubjectNode): Place[] =>
  [ofNode(node, 'nodeTaints'), patched(node, 'machine', 'nodeTaints')]
    .flatMap((taints) => taints?.entries() ?? [])
    .filter(([, { value }]) => /(^|:)No(Schedule|Execute)$/.test(String(value)))
    .map(([, place]) => place)
