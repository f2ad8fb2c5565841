import type { NodeName } from '../model/cluster.ts'
import { EXIT_CODES, type ExitCode } from '../model/exit-code.ts'
import type { Failure } from '../model/failure.ts'
import type { Observation } from '../model/observation.ts'
import type { NodeVerdict } from '../model/verdict.ts'
import type { Ending } from './ending.ts'
import { promised } from './exit-code-of.ts'
import { hasChanged } from './has-changed.ts'
import { type Begun, evidenceBefore, installedBefore, judge, judgeStopped, leftRunning } from './judge.ts'
import type { Plan } from './plan.ts'

/** What a run that is not carried on began, which a run that ends before it begins does not call unchanged. */
export type LeftBehind = {
  /** absent where this version can not read it */
  plan?: Plan
  begun: Readonly<Record<NodeName, Begun>>
}

/** What is known when a run ends before it begins; what is absent was not looked at. */
export type KnownAtEnd = { left: readonly LeftBehind[]; plan?: Plan; observed?: Observation }

/**
 * The verdicts of a run that changed nothing: every node is as it was, but for what an earlier process began. Of a node that
 * nobody looked at nothing is said, unless a rule kept it from being changed.
 */
const untouchedVerdicts = (
  nodes: readonly NodeName[],
  otherwise: 'unchanged' | 'refused',
  known: KnownAtEnd,
): NodeVerdict[] => nodes.flatMap((node) => whatWasLeft(node, otherwise, known) ?? notBegun(node, otherwise, known))

function whatWasLeft(
  node: NodeName,
  otherwise: 'unchanged' | 'refused',
  { left, observed }: KnownAtEnd,
): NodeVerdict | undefined {
  const behind = left.findLast(({ begun }) => begun[node] !== undefined)
  const begun = behind?.begun[node]
  if (behind === undefined || begun === undefined) return undefined
  const planned = behind.plan?.nodes.find((plan) => plan.node === node)
  if (planned === undefined)
    return { node, verdict: begun.flipped ? 'interrupted' : leftRunning(begun.install, otherwise), evidence: {} }
  const seen = observed?.nodes[node]
  if (!seen?.reachable)
    return { node, ...judgeStopped(planned, { verdict: otherwise, evidence: evidenceBefore(planned) }, begun) }
  const now = judge(planned, begun, seen)
  return { node, ...now, verdict: now.verdict === 'unchanged' ? otherwise : now.verdict }
}

function notBegun(node: NodeName, otherwise: 'unchanged' | 'refused', { plan, observed }: KnownAtEnd): NodeVerdict[] {
  const planned = plan?.nodes.find((one) => one.node === node)
  const install = planned ? installedBefore(planned.work) : 'no'
  if (planned && install !== 'no')
    return [{ node, verdict: leftRunning(install, otherwise), evidence: evidenceBefore(planned) }]
  const isLookedAt = plan !== undefined || observed !== undefined
  return isLookedAt || otherwise === 'refused' ? [{ node, verdict: otherwise, evidence: {} }] : []
}

/** Why a run ends before it begins, and the command to type next. */
export type End = { exitCode: ExitCode; failures: readonly Failure[]; next?: string | undefined }

/** How a run ends that changed nothing by itself. `told`: the verdicts that are more than the rule. */
export function untouchedEnding(
  nodes: readonly NodeName[],
  end: End,
  known: KnownAtEnd,
): Ending & { told: NodeVerdict[] } {
  const otherwise = end.exitCode === EXIT_CODES.refused ? 'refused' : 'unchanged'
  const verdicts = untouchedVerdicts(nodes, otherwise, known)
  const hasBegun = known.left.some(({ begun }) => hasChanged([], begun))
  return {
    verdicts,
    told: verdicts.filter(({ verdict }) => verdict !== otherwise),
    failures: [...end.failures],
    exitCode: promised(end.exitCode, hasBegun),
    ...(end.next === undefined ? {} : { next: end.next }),
  }
}
