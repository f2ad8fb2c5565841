/**
 * A verb in a session that stands, from its first look to its report: lock, take up what an earlier process left, observe, plan, ask, drive, report.
 * A restart compares the inputs only and carries on with the stored plan before it looks whether anybody answers,
 * because a node that we just rebooted is down by our own doing.
 */
import { createHash } from 'node:crypto'
import type { Cluster, NodeName } from '../../workflows/model/cluster.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import { exitCodeOf } from '../../workflows/plan/exit-code-of.ts'
import { hasChanged } from '../../workflows/plan/has-changed.ts'
import { begunBy } from '../../workflows/plan/judge.ts'
import { planInputs } from '../../workflows/plan/plan-inputs.ts'
import { isOfAnotherCluster } from '../../workflows/plan/unfinished.ts'
import { type End, type KnownAtEnd, untouchedEnding } from '../../workflows/plan/untouched.ts'
import type { AnyWish, Verb } from '../../workflows/plan/verb.ts'
import type { Call } from '../cli/command.ts'
import type { OpenCluster } from '../cluster/open-cluster.ts'
import { failureOfThrown } from '../disk/on-disk.ts'
import { beginRun } from './begin-run.ts'
import type { Crew } from './crew.ts'
import { drivePlan, type PlannedRun } from './drive-plan.ts'
import { refused } from './leave.ts'
import { leftRun } from './left-run.ts'
import { liftLeftCordons } from './lift-left-cordons.ts'
import { openRun } from './open-run.ts'
import { product } from './product.ts'
import { resumeRun } from './resume-run.ts'
import { findUnfinishedRuns, fromMemory, recall } from './run-folder.ts'
import { takeUp } from './take-up.ts'

/** Carries a verb out in a session that stands; resolves to the exit code. */
export async function carryOutIn<Wish extends AnyWish>(
  crew: Crew,
  session: OpenCluster,
  verb: Verb<Wish>,
  call: Call,
  wish: Wish,
): Promise<ExitCode> {
  await using run = await openRun(session, call)
  const known: KnownAtEnd = { left: [] }
  const leave = (end: End) => run.end(untouchedEnding(wishedNodes(session.cluster, wish), end, known))
  let begun: PlannedRun | undefined
  try {
    const hold = await run.hold()
    if (!hold.ok) return await leave(refused(run, [hold.failure]))
    const memory = fromMemory(() => ({
      left: findUnfinishedRuns(run.root).map((found) => leftRun(crew, found)),
      remembered: recall(run.root, session.identity),
    }))
    if (!memory.ok) return await leave(refused(run, [memory.failure]))
    const { left, remembered } = memory.value
    const own = left.filter((one) => !isOfAnotherCluster(one, session.identity))
    known.left = own.map(({ behind }) => behind)
    const held = { hold: hold.value, remembered }
    const inputs = hashOf([product, session.identity, planInputs(session.cluster), verb.name, wish, ...configsOf(crew)])
    const { abandon: abandons } = call.common
    const taken = await takeUp(run, left, {
      ...{ verb: verb.name, product, inputs },
      identity: session.identity,
      ...{ abandons, carriedOnForMs: verb.carriedOnForMs },
    })
    if (!taken.ok) return await leave(refused(run, taken.failure))
    if (abandons) {
      if (left.length === 0) run.notice('no run is unfinished, so there is none to abandon')
      const { failures } = await liftLeftCordons(run, hold.value)
      return await leave(refused(run, failures))
    }
    const ready = taken.value ? resumeRun(run, taken.value) : await beginRun(run, { verb, wish, inputs }, held, known)
    if ('exitCode' in ready) return await leave(ready)
    begun = ready
    return await drivePlan(crew, run, begun, held)
  } catch (error) {
    const failures = [failureOfThrown(error)]
    const next = call.again
    if (begun === undefined) {
      // until then nothing is waited for but what a request to stop cuts off
      const end = refused(run, failures)
      return await leave({ ...end, next: end.next ?? next })
    }
    const exitCode = exitCodeOf(failures, hasChanged([], begunBy(begun.journal.records)))
    return await run.end({ exitCode, verdicts: [], failures, next })
  }
}

const wishedNodes = ({ nodes }: Cluster, { nodes: wished }: AnyWish): NodeName[] =>
  nodes.map(({ name }) => name).filter((name) => !wished || wished.includes(name))

/** What the machines are made of: a journal is followed by the machines that wrote it only. */
const configsOf = ({ root, machines }: Crew): unknown[] =>
  [root, ...Object.values(machines)].map(({ config }) => config)

const hashOf = (values: unknown[]): string => createHash('sha256').update(JSON.stringify(values)).digest('hex')
