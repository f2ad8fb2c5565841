import { createInterface } from 'node:readline/promises'
import { summarize } from '../../workflows/machines/summarize.ts'
import type { Plan } from '../../workflows/plan/plan.ts'
import type { Stop } from '../engine/stop.ts'
import { paintFor } from '../view/paint.ts'
import { planText } from '../view/plan-text.ts'
import { redact } from '../view/redact.ts'
import type { Call } from './command.ts'

/** A person at a terminal approves the plan; where there is none, or with `--yes`, nothing ever asks. */
export async function approve({ common, cluster }: Call, plan: Plan, stop: Stop): Promise<boolean> {
  if (common.yes || !process.stdin.isTTY || !process.stderr.isTTY) return true
  process.stderr.write(redact(planText(summarize(plan), cluster.name, paintFor(process.stderr, process.env))))
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // readline keeps Ctrl-C from becoming a signal, and a question whose terminal was closed (Ctrl-D) never settles
  terminal.on('SIGINT', () => stop.request('SIGINT'))
  const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
  try {
    const answer = await Promise.race([terminal.question('Go ahead? [y/N] ', { signal: stop.requested }), closed])
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    if (stop.requested.aborted) return false
    throw error
  } finally {
    terminal.close()
  }
}
