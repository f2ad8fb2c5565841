import type { NodeName } from '../../workflows/model/cluster.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import { liftDeadCordons } from '../cluster/lift-dead-cordons.ts'
import type { OpenRun } from './open-run.ts'
import { hasRun } from './run-folder.ts'
import type { Hold } from './take-hold.ts'

/** Whether the run of a mark is over: to who holds the Lease every one is, to who has the folder alone those of the folder. */
export const isOver =
  ({ root }: OpenRun, hold: Hold) =>
  (name: string): boolean =>
    hold.holdsLease() || hasRun(root, name)

/** Lifts the cordons that runs left which are over, and says where; resolves to the nodes, and to what kept others. */
export async function liftLeftCordons(run: OpenRun, hold: Hold): Promise<{ lifted: NodeName[]; failures: Failure[] }> {
  const { lifted, failures } = await liftDeadCordons(run.session, run.waiter('plan'), isOver(run, hold))
  if (lifted.length > 0) run.notice(`lifted the cordon that an earlier run left on ${lifted.join(', ')}`)
  return { lifted, failures }
}
