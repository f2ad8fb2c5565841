import { AGAIN } from '../../workflows/model/again.ts'
import type { NodeName } from '../../workflows/model/cluster.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import { liftCordon } from '../steps/uncordon.ts'
import type { Waiter } from '../watch.ts'
import type { OpenCluster } from './open-cluster.ts'

/**
 * Lifts the cordons of runs that are over, before anything is forecast: what they keep from running would count against the
 * next drain. To who holds the Lease every mark is that of a dead run; to who has the lock of a folder alone those of that
 * folder are. A mark that outlived its cordon goes, too. Resolves to where a cordon was lifted, and to what kept others.
 */
export async function liftDeadCordons(
  { cluster, kubernetes }: Pick<OpenCluster, 'cluster' | 'kubernetes'>,
  waiter: Waiter,
  isOver: (run: string) => boolean,
): Promise<{ lifted: NodeName[]; failures: Failure[] }> {
  const options = { signal: waiter.signal, timeoutMs: cluster.operations.deadlines.observeMs }
  const nodes = await kubernetes.nodes(options)
  if (!nodes.ok) {
    const detail = `whether a run that is over left a cordon can not be seen: ${nodes.failure.detail ?? nodes.failure.reason}`
    return { lifted: [], failures: [{ ...nodes.failure, detail, hint: nodes.failure.hint ?? AGAIN }] }
  }
  const lifted: NodeName[] = []
  const failures: Failure[] = []
  for (const { name, mark, staleMark } of nodes.value) {
    const left = mark ?? staleMark
    if (left === undefined || !isOver(left.run) || waiter.signal.aborted) continue
    const done = await liftCordon({ cluster, kubernetes }, { name, run: left.run, ...options }, waiter)
    if (!done.ok) failures.push({ ...done.failure, node: name })
    else if (mark) lifted.push(name)
  }
  return { lifted, failures }
}

/** The same cluster, where a cordon of which nobody knows whether the run behind it is over is a stranger's. */
export function withoutMarks(observed: Observation, isOver: (run: string) => boolean): Observation {
  const { kubernetes } = observed
  if (!kubernetes.answers) return observed
  const nodes = kubernetes.nodes.map(({ mark, ...node }) => (mark && isOver(mark.run) ? { ...node, mark } : node))
  return { ...observed, kubernetes: { ...kubernetes, nodes } }
}
