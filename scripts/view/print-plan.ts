import type { PlanSummary } from '../../workflows/model/event.ts'
import type { CommonFlags } from '../cli/flags.ts'
import { eventLine } from './event-line.ts'
import { paintFor } from './paint.ts'
import { planText } from './plan-text.ts'
import { redact } from './redact.ts'

/** Prints what a dry run found that would be done: for people, as JSON, or not at all. */
export function printPlan(plan: PlanSummary, cluster: string, { output }: Pick<CommonFlags, 'output'>): void {
  if (output === 'quiet') return
  const text =
    output === 'json'
      ? eventLine({ type: 'plan', plan }, new Date())
      : redact(planText(plan, cluster, paintFor(process.stdout, process.env)))
  process.stdout.write(text)
}
