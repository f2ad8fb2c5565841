import type { NodeName } from '../workflows/model/cluster.ts'
import type { Observation } from '../workflows/model/observation.ts'
import type { Session } from './session.ts'
import { liftCordon } from './steps/lift-cordon.ts'
import type { Waiter } from './watch.ts'

/**
 * Lifts the cordons of runs that are over, before anything is forecast: what they keep from running would count against the
 * next drain. For who holds the Lease only, since every mark is then that of a dead run. Resolves to where one was lifted.
 */
export async function liftDeadCordons(session: Session, waiter: Waiter): Promise<NodeName[]> {
  const { cluster, kubernetes } = session
  const options = { signal: waiter.signal, timeoutMs: cluster.operations.deadlines.observeMs }
  const read = await kubernetes.read(options)
  const lifted: NodeName[] = []
  for (const { name, mark } of read.ok ? read.value.nodes : []) {
    if (mark === undefined || waiter.signal.aborted) continue
    const done = await liftCordon({ cluster, kubernetes }, { name, run: mark.run, ...options }, waiter)
    // the run that follows tries again, and fails where it may not
    if (done.ok) lifted.push(name)
  }
  return lifted
}

/** The same cluster, where nobody knows whether the run behind a mark is over: its cordon is a stranger's. */
export function withoutMarks(observed: Observation): Observation {
  const { kubernetes } = observed
  if (!kubernetes.answers) return observed
  const nodes = kubernetes.nodes.map(({ mark: _, ...node }) => node)
  return { ...observed, kubernetes: { ...kubernetes, nodes } }
}
