/**
 * What was unwell before a run: it is named in the plan, and not waited for afterwards. A node that is upgraded and as unwell as
 * before is upgraded; the gate of the next control plane wants it well all the same.
 */
import type { Role } from '../model/cluster.ts'
import type { KubeNode, KubePod } from '../model/kubernetes.ts'
import type { NodeFacts } from '../model/observation.ts'
import { type Foreseeable, lateBy, podName } from './drain/forecast.ts'
import type { Before, KubernetesPlan, NodePlan, Unwell } from './plan.ts'

/** Static pods and those of DaemonSets: what runs on the node whatever happens. */
const standsWithNode = (pod: KubePod): boolean =>
  !pod.terminating && (pod.mirror || pod.controller?.kind === 'DaemonSet')

/** A pod of a DaemonSet may be another one after the boot. */
const standingName = (pod: KubePod): string =>
  pod.mirror ? podName(pod) : `DaemonSet ${pod.namespace}/${pod.controller?.name}`

/** What is not well of a node in Kubernetes now; undefined where all is. */
export function unwellNow(facts: Foreseeable, node: KubeNode): Unwell | undefined {
  const own = facts.pods.filter((pod) => pod.node === node.name)
  const unwell = {
    ...(node.ready ? {} : { node: node.detail ?? 'not ready' }),
    pods: [...new Set(own.filter((pod) => standsWithNode(pod) && !pod.ready).map(standingName))],
    hanging: own.filter((pod) => lateBy(pod, facts.now) !== undefined).map(podName),
    attachments: facts.attachments.filter((a) => a.node === node.name && a.orphaned).map(({ name }) => name),
  }
  const { pods, hanging, attachments } = unwell
  return node.ready && pods.length + hanging.length + attachments.length === 0 ? undefined : unwell
}

/** What stands in the plan about it. */
export function unwellNote({ node, before: { unmet = [] }, kubernetes }: NodePlan): string[] {
  const { node: notReady, pods = [], hanging = [], attachments = [] } = kubernetes?.unwell ?? {}
  const all = [
    ...unmet,
    ...(notReady === undefined ? [] : [`its Node is not ready (${notReady})`]),
    ...pods.map((name) => `${name} is not ready`),
    ...hanging.map((name) => `${name} hangs in Terminating`),
    ...attachments.map((name) => `the volume of ${name} is gone`),
  ]
  return all.length === 0 ? [] : [`${node} is unwell now, which is not waited for afterwards: ${all.join(', ')}`]
}

type Status = Pick<NodeFacts, 'stage' | 'ready' | 'unmet'>

/** Whether a machine runs, and is ready but for conditions that were unmet before, in the same words. */
export const isAsWell = ({ unmet = [] }: Pick<Before, 'unmet'>, now: Status): boolean =>
  now.stage === 'running' && (now.ready || (now.unmet.length > 0 && now.unmet.every((of) => unmet.includes(of))))

/** What Kubernetes says of a node that came back. */
export type Return = {
  node: KubeNode | undefined
  /** all that is bound to the node */
  pods: readonly KubePod[]
  /** boot that the machine is in, where that is known */
  bootId?: string
}

/** What is still missing, in a few words, and what is missing as it was before. */
export function settling(
  { node, pods, bootId }: Return,
  { kubeletVersion, unwell }: Pick<KubernetesPlan, 'kubeletVersion' | 'unwell'>,
  role: Role,
): { missing: string; asBefore: string[] } {
  const missing = (text: string) => ({ missing: text, asBefore: [] })
  if (!node) return missing('there is no Node')
  // of a Node whose kubelet was silent before, nothing can be said after
  if (!node.ready && unwell?.node !== undefined)
    return { missing: '', asBefore: [`its Node is not ready (${node.detail ?? 'not ready'})`] }
  if (!node.ready) return missing(node.detail ?? 'its Node is not ready')
  if (bootId !== undefined && node.bootId !== undefined && node.bootId !== bootId)
    return missing('its kubelet has not registered since the boot')
  if (node.cordonedByTalos) return missing('Talos has not lifted the cordon that it set for the upgrade')
  if (node.kubeletVersion !== kubeletVersion)
    return missing(`its kubelet runs ${node.kubeletVersion}, not ${kubeletVersion}`)
  const standing = pods.filter(standsWithNode)
  if (role === 'controlplane' && !standing.some((pod) => pod.mirror)) return missing('no static pod is there yet')
  const notReady = standing.filter((pod) => !pod.ready)
  const isKnown = (pod: KubePod) => unwell?.pods.includes(standingName(pod)) === true
  return {
    missing: notReady
      .filter((pod) => !isKnown(pod))
      .map(podName)
      .join(', '),
    asBefore: [...new Set(notReady.filter(isKnown).map((pod) => `${standingName(pod)} is not ready`))],
  }
}
