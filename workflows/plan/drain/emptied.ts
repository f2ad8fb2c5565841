/** Whether a node is empty enough to go down: what could run elsewhere is gone from it, and so are the volumes that go with it. */
import type { DrainPolicy } from '../../model/cluster.ts'
import type { KubernetesRead, VolumeAttachment } from '../../model/kubernetes.ts'
import type { Unwell } from '../plan.ts'
import { fitNowhere, forecastDrain, podName } from './forecast.ts'

/** A node by its name in Kubernetes, and what was unwell of it before the run: the person let it go on although it was. */
export type Drained = { name: string; unwell?: Pick<Unwell, 'hanging' | 'attachments'> | undefined }

/** Without the pods that hung in Terminating before the run. */
export const withoutHanging = (read: KubernetesRead, { unwell }: Drained): KubernetesRead => ({
  ...read,
  pods: read.pods.filter((pod) => !(pod.terminating && unwell?.hanging.includes(podName(pod)))),
})

/** Nothing is left on the node that could run elsewhere; what fits on no other node stays, and goes down with this one. */
export function isEmptied(read: KubernetesRead, drained: Drained, policy: DrainPolicy): boolean {
  const forecast = forecastDrain(withoutHanging(read, drained), drained.name, policy)
  return forecast.evicts.length === 0 || fitNowhere(forecast)
}

/**
 * The volumes of `now` that are attached to the node still, by their claims: without those that a pod which stays there mounts,
 * and those that somebody left there before the run. What claims and pods they belong to was `read` with the pods.
 */
export function stillAttached(
  now: readonly VolumeAttachment[],
  { name, unwell }: Drained,
  { attachments, pods }: Pick<KubernetesRead, 'attachments' | 'pods'>,
): string[] {
  const staying = new Set(
    pods.filter((pod) => pod.node === name).flatMap((pod) => pod.claims.map((claim) => `${pod.namespace}/${claim}`)),
  )
  const claims = new Map(attachments.map(({ volume, claim }) => [volume, claim]))
  return now
    .filter((one) => one.node === name && !unwell?.attachments.includes(one.name))
    .flatMap(({ volume }) => {
      const claim = claims.get(volume)
      return claim !== undefined && staying.has(claim) ? [] : [claim ?? volume]
    })
}
