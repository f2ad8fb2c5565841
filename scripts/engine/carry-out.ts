import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { Call } from '../cli/command.ts'
import { openCluster } from '../cluster/open-cluster.ts'
import { checkClient } from '../tools/talosctl/check-client.ts'
import { roleFailures } from '../tools/talosctl/role-failures.ts'
import type { Crew } from './crew.ts'

/**
 * Does as wished, or with `--dry-run` says what would be done; resolves to the exit code. What drives a run is loaded while
 * the tools are looked for, and only where there is something to drive.
 */
export async function carryOut<Wish extends AnyWish>(
  loadCrew: () => Promise<Crew>,
  verb: Verb<Wish>,
  call: Call,
  wish: Wish,
): Promise<ExitCode> {
  const { dryRun, abandon } = call.common
  if (abandon && dryRun) {
    const { rehearseAbandon } = await import('./rehearse-abandon.ts')
    return rehearseAbandon(call)
  }
  const driving = dryRun ? undefined : Promise.all([import('./carry-out-in.ts'), loadCrew()])
  // what is only closed asks nothing of a release
  const release = abandon ? undefined : verb.release?.(call.cluster, wish)
  const opened = await openCluster(call, { changes: !abandon, to: release })
  if (!opened.ok) return reject(call, opened.failure)
  const session = opened.value
  const { talosctl, roles, layout } = session
  const unfit = abandon
    ? []
    : [
        ...(verb.objections?.(call.cluster, wish) ?? []),
        ...(release === undefined ? [] : checkClient(talosctl, release)),
        // a dry run asks for what its role may see
        ...(dryRun ? [] : roleFailures({ roles, talosconfig: layout.talosconfig }, verb.name)),
      ]
  if (unfit.length > 0) return reject(call, unfit)
  if (driving === undefined) {
    const { rehearse } = await import('./rehearse.ts')
    return rehearse(session, verb, call, wish)
  }
  const [{ carryOutIn }, crew] = await driving
  return carryOutIn(crew, session, verb, call, wish)
}

async function reject(call: Call, failures: readonly Failure[]): Promise<ExitCode> {
  const { rejectUnopened } = await import('./reject-unopened.ts')
  return rejectUnopened(call, failures)
}
