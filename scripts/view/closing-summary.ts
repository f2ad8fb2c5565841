import type { ChalkInstance } from 'chalk'
import { type Evidence, isGood, verdictText } from '../../workflows/model/verdict.ts'
import { durationText } from './duration-text.ts'
import { failureText } from './failure-text.ts'
import { manifestText } from './manifest-text.ts'
import type { Report } from './report.ts'
import { table } from './table.ts'
import { waitingText } from './waiting-text.ts'

/** Where every node stands and what to type next: the last thing that a run prints, from its report alone. */
export function closingSummary(report: Report, paint: ChalkInstance): string {
  const nodes = Object.entries(report.verdicts)
  const stands = table(
    nodes.map(([node, { verdict, evidence, failure }]) => {
      const good = isGood(verdict) && failure === undefined
      return [
        good ? paint.green('✔') : paint.red('✖'),
        paint.bold(node),
        good ? verdictText(verdict, evidence) : paint.red(verdictText(verdict, evidence)),
        evidenceText(evidence, report.endedAt ?? ''),
      ]
    }),
  )
  const lines = nodes.flatMap(([node], index) => {
    const phases = phasesText(report.phases[node] ?? {})
    return [stands[index] ?? '', ...(phases === '' ? [] : [paint.dim(`   ${phases}`)])]
  })
  const failures = nodes.flatMap(([, { failure }]) => (failure === undefined ? [] : [failure]))
  const rest = report.failures.filter(
    (other) => !failures.some((known) => known.reason === other.reason && known.node === other.node),
  )
  const wholeCluster = report.cluster === undefined ? {} : (report.phases[report.cluster] ?? {})
  if (Object.keys(wholeCluster).length > 0 && nodes.length > 0)
    lines.push(paint.dim(`   ${report.cluster}: ${phasesText(wholeCluster)}`))
  const trouble = [...failures, ...rest].map((failure) => paint.red(`   ${failureText(failure)}`))
  if (trouble.length > 0) lines.push(...(lines.length > 0 ? [''] : []), ...trouble)
  const notices = report.notices.map(({ text, node }) => `   ${node === undefined ? '' : `${node}: `}${text}`)
  if (notices.length > 0) lines.push(...(lines.length > 0 ? [''] : []), ...notices)
  const end = endText(report)
  if (end !== undefined) lines.push(...(lines.length > 0 ? [''] : []), end)
  if (report.next !== undefined) lines.push(`Next: ${paint.bold(report.next)}`)
  const text = lines.length === 0 ? '' : `${lines.join('\n')}\n`
  return `${text}${manifestText([...failures, ...rest])}`
}

function endText({ command, cluster, exitCode, tookMs }: Report): string | undefined {
  if (command === undefined || exitCode === undefined) return undefined
  const took = tookMs === undefined ? '' : ` after ${durationText(tookMs)}`
  const how =
    exitCode === 0
      ? `done${took}`
      : `${exitCode === 130 || exitCode === 143 ? 'interrupted' : 'ended'}${took}, exit ${exitCode}`
  return `${cluster ?? ''} ${command} ${how}`.trim()
}

function evidenceText(evidence: Evidence, endedAt: string): string {
  const { version, versionBefore, stage, ready, waiting, unmet, unsettled } = evidence
  const versions =
    version !== undefined && versionBefore !== undefined && version !== versionBefore
      ? `${versionBefore} → ${version}`
      : (version ?? (versionBefore === undefined ? 'version not seen' : `was ${versionBefore}`))
  const state =
    stage === undefined ? [] : [ready === true ? `${stage} and ready` : ready === false ? `${stage}, not ready` : stage]
  const asBefore = [...(unmet ?? []), ...(unsettled ?? [])]
  const slot =
    waiting === undefined
      ? []
      : [
          `${waitingText(waiting.image, waiting.since, endedAt)} for the next reboot`,
          ...(waiting.doubt === undefined ? [] : [`as far as we know: ${waiting.doubt}`]),
        ]
  return [versions, ...state, ...asBefore, ...slot].join(', ')
}

/** Only what takes long enough to be worth knowing. */
const phasesText = (phases: Record<string, number>): string =>
  Object.entries(phases)
    .filter(([, ms]) => ms >= 500)
    .map(([step, ms]) => `${step} ${durationText(ms)}`)
    .join(' · ')
