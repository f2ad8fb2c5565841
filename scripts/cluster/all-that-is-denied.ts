import type { Failure } from '../../workflows/model/failure.ts'
import { allRights, alsoForbidden } from '../../workflows/plan/missing-access.ts'
import type { OpenCluster } from './open-cluster.ts'

/** Why Kubernetes denied something, with all else that it would deny; another failure as it is. */
export async function allThatIsDenied(
  { kubernetes, cluster }: Pick<OpenCluster, 'kubernetes' | 'cluster'>,
  why: Failure,
  signal?: AbortSignal,
): Promise<Failure> {
  if (why.reason !== 'kubernetes-forbidden') return why
  const { operations } = cluster
  const options = { timeoutMs: operations.deadlines.observeMs, signal }
  const reviewed = await kubernetes.review(allRights(operations), options)
  return reviewed.ok ? alsoForbidden(why, reviewed.value.denied) : why
}
