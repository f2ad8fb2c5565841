/** How a run ends that was driven: a verdict for each node, what failed, the exit code, and the command to type next. */
import type { NodeName } from '../model/cluster.ts'
import { EXIT_CODES, type ExitCode } from '../model/exit-code.ts'
import type { Failure } from '../model/failure.ts'
import type { NodeVerdict } from '../model/verdict.ts'
import { exitCodeOf } from './exit-code-of.ts'
import { hasChanged } from './has-changed.ts'
import { isCommand } from './is-command.ts'
import { type Begun, judgeStopped } from './judge.ts'
import type { NodePlan } from './plan.ts'

export type Ending = { verdicts: NodeVerdict[]; failures: Failure[]; exitCode: ExitCode; next?: string }

/** `stopped`: by a request, with the exit code of who asked; `broken`: it may start nothing any more. */
export type Way = { ended: 'done' } | { ended: 'stopped'; exitCode: ExitCode } | { ended: 'broken'; failure: Failure }

type Driven = {
  way: Way
  /** how the nodes stand by what the machines heard */
  stood: readonly NodeVerdict[]
  failures: readonly Failure[]
  plans: readonly NodePlan[]
  begun: Readonly<Record<NodeName, Begun>>
  /** the command line that goes on */
  again: string
}

export function endingOf({ way, stood, failures: failed, plans, begun, again }: Driven): Ending {
  const failures = [...failed, ...(way.ended === 'broken' ? [way.failure] : [])]
  const verdicts = stood.map((one) => {
    const planned = plans.find(({ node }) => node === one.node)
    // a run that was carried to its end knows what became of all that it began
    if (way.ended === 'done' || planned === undefined) return one
    return { ...one, ...judgeStopped(planned, one, begun[one.node]) }
  })
  const exitCode = exitCodeFor(way, failures, hasChanged(verdicts, begun))
  const hint = way.ended === 'done' ? hintOf(verdicts, failures) : undefined
  const next = hint ?? (exitCode === EXIT_CODES.done ? undefined : again)
  return { verdicts, failures, exitCode, ...(next === undefined ? {} : { next }) }
}

function exitCodeFor(way: Way, failures: readonly Failure[], changed: boolean): ExitCode {
  switch (way.ended) {
    case 'stopped':
      return way.exitCode
    case 'broken':
      return exitCodeOf([way.failure], changed)
    case 'done':
      return exitCodeOf(failures, changed)
  }
}

const hintOf = (verdicts: readonly NodeVerdict[], failures: readonly Failure[]): string | undefined =>
  commandOf([...verdicts.flatMap(({ failure }) => failure ?? []), ...failures])

/** The first hint that can be typed; words stand beside their failure. */
export const commandOf = (failures: readonly Failure[]): string | undefined =>
  failures.find(({ hint }) => hint !== undefined && isCommand(hint))?.hint
