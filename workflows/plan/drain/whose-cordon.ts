import type { CordonMark, KubeNode } from '../../model/kubernetes.ts'

/** The name under which the API server notes what we change. */
export const FIELD_MANAGER = 'talos-workflows'

/** What the API server calls whoever it has forgotten: it keeps ten names for each object. */
const FORGOTTEN = 'ancient-changes'

/**
 * Whose cordon it is that a mark of ours stands beside. `kubectl uncordon` leaves the mark, and what is cordoned later is
 * somebody else's; so the API server decides, which notes who set each field. `owners`: those that it names for
 * `spec.unschedulable`.
 */
export function whoseCordon({
  unschedulable,
  mark,
  owners,
}: {
  unschedulable: boolean
  mark: CordonMark | undefined
  owners: readonly string[]
}): Pick<KubeNode, 'mark' | 'staleMark'> {
  if (mark === undefined) return {}
  if (!unschedulable) return { staleMark: { ...mark, beside: 'no-cordon' } }
  if (owners.some((owner) => owner !== FIELD_MANAGER && owner !== FORGOTTEN))
    return { staleMark: { ...mark, beside: 'foreign-cordon' } }
  const isOurs = owners.length > 0 && owners.every((owner) => owner === FIELD_MANAGER)
  return isOurs ? { mark } : { staleMark: { ...mark, beside: 'unknown-cordon' } }
}
