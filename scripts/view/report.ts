/** What a run leaves behind: everything that its events told, as one JSON document for people, scripts and support. */
import type { NodeName } from '../../workflows/model/cluster.ts'
import type { PlanSummary, RunEvent } from '../../workflows/model/event.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import type { Evidence, Verdict } from '../../workflows/model/verdict.ts'
import { replaceFile } from '../disk/replace-file.ts'
import type { Starts } from '../engine/starts.ts'
import { redact, redactValue } from './redact.ts'

export type Report = {
  v: 1
  run?: string
  command?: string
  cluster?: string
  resumed: boolean
  /** ISO times of the first and the last event */
  startedAt?: string
  endedAt?: string
  plan?: PlanSummary
  steps: StepReport[]
  /** milliseconds by node and step; steps of the whole cluster stand under its name */
  phases: Record<string, Record<string, number>>
  verdicts: Record<NodeName, { verdict: Verdict; evidence: Evidence; failure?: Failure | undefined }>
  failures: Failure[]
  notices: { at: string; text: string; node?: NodeName | undefined }[]
  /** argv of every command that changed something, redacted */
  commands: string[][]
  /** how often which tool was started, by node and step as in `phases` */
  starts: Starts
  exitCode?: ExitCode
  tookMs?: number
  next?: string
}

export type StepReport = {
  node?: NodeName | undefined
  step: string
  title: string
  startedAt?: string
  tookMs?: number
  /** `open`: the run ended before the step did */
  outcome: 'finished' | 'failed' | 'open'
  detail?: string
  failure?: Failure
}

export type ReportCollector = {
  handle(event: RunEvent): void
  /** as of now; changes with later events */
  value(): Report
}

/** Collects a report while a run goes on. `now` stamps the events; `known` is what is told of one that never begins. */
export function collectReport(now: () => Date, known: Pick<Report, 'command' | 'cluster'> = {}): ReportCollector {
  const report: Report = {
    v: 1,
    ...known,
    resumed: false,
    steps: [],
    phases: {},
    verdicts: {},
    failures: [],
    notices: [],
    commands: [],
    starts: {},
  }
  const openStep = (node: NodeName | undefined, step: string): StepReport | undefined =>
    report.steps.findLast((other) => other.node === node && other.step === step && other.outcome === 'open')

  function endStep(event: Extract<RunEvent, { type: 'step.finished' | 'step.failed' }>): void {
    const { node, step, title, tookMs } = event
    let record = openStep(node, step)
    if (record === undefined) {
      record = { node, step, title, outcome: 'open' }
      report.steps.push(record)
    }
    record.tookMs = tookMs
    record.outcome = event.type === 'step.finished' ? 'finished' : 'failed'
    if (event.type === 'step.failed') record.failure = event.failure
    else if (event.detail !== undefined) record.detail = event.detail
    const owner = node ?? report.cluster ?? 'cluster'
    report.phases[owner] ??= {}
    const phases = report.phases[owner]
    phases[step] = (phases[step] ?? 0) + tookMs
  }

  return {
    value: () => {
      const first = ['v', 'run', 'command', 'cluster', 'startedAt', 'endedAt', 'tookMs', 'exitCode', 'next'] as const
      // how it ended comes first, since that is what a person opens the file for
      const head = first.filter((key) => report[key] !== undefined).map((key) => [key, report[key]])
      return { ...Object.fromEntries(head), ...report }
    },
    handle(event) {
      const at = now().toISOString()
      report.startedAt ??= at
      report.endedAt = at
      switch (event.type) {
        case 'run.started':
          report.run = event.run
          report.command = event.command
          report.cluster = event.cluster
          report.resumed = event.resumed
          report.plan = event.plan
          return
        case 'notice':
          report.notices.push({ at, text: event.text, node: event.node })
          return
        case 'step.started': {
          const { node, step, title } = event
          report.steps.push({ node, step, title, startedAt: at, outcome: 'open' })
          return
        }
        case 'waiting':
          return
        case 'step.finished':
        case 'step.failed':
          endStep(event)
          return
        case 'verdict': {
          const { verdict, evidence, failure } = event
          report.verdicts[event.node] = { verdict, evidence, failure }
          return
        }
        case 'run.finished':
          report.run = event.run
          report.exitCode = event.exitCode
          report.failures = event.failures
          report.tookMs = event.tookMs
          if (event.next !== undefined) report.next = event.next
      }
    },
  }
}

/** What of the tools a report tells: those that changed something, and how many were started. */
export type Ran = { changes: readonly (readonly string[])[]; starts: Readonly<Starts> }

/** The report as a document, redacted. */
export const reportText = (report: Report, { changes, starts }: Ran): string =>
  `${JSON.stringify({ ...report, commands: changes.map((argv) => argv.map(redact)), starts }, redactValue, 2)}\n`

/** Writes it for its owner's eyes only (0600), whole or not at all: a reader never meets half of it. */
export const writeReport = (path: string, report: Report, ran: Ran): void =>
  replaceFile(path, reportText(report, ran), 0o600)
