import { summarize } from '../../workflows/machines/summarize.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import { isEmpty } from '../../workflows/plan/plan.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { Call } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { reject } from '../cli/reject.ts'
import type { OpenCluster } from '../cluster/open-cluster.ts'
import { deniedOnce } from '../tools/talosctl/role-failures.ts'
import { printPlan } from '../view/print-plan.ts'
import { planNow } from './plan-now.ts'
import { fromMemory, recall, runFolder } from './run-folder.ts'

/** Prints the plan, or every reason why there is none; changes nothing. */
export async function rehearse<Wish extends AnyWish>(
  session: OpenCluster,
  verb: Verb<Wish>,
  { common, again }: Call,
  wish: Wish,
): Promise<ExitCode> {
  const { cluster, layout, roles } = session
  const remembered = fromMemory(() => recall(runFolder(layout.folder), session.identity))
  if (!remembered.ok) return reject([remembered.failure], common)
  const { planned } = await planNow(session, verb, wish, remembered.value)
  if (!planned.ok) {
    const failures = deniedOnce(planned.failure, { roles, talosconfig: layout.talosconfig })
    return reject(failures.map(completeHints(cluster, layout, again).failure), common)
  }
  printPlan(summarize(planned.value), cluster.name, common)
  return isEmpty(planned.value) ? EXIT_CODES.done : EXIT_CODES.pending
}
