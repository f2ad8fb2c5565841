import type { ChalkInstance } from 'chalk'
import type { PlanSummary } from '../../workflows/model/event.ts'
import { drainLines } from './drain-lines.ts'
import { headline } from './headline.ts'
import { table } from './table.ts'

/** The plan as a person approves it, nodes in the order in which they go. */
export function planText(plan: PlanSummary, cluster: string, paint: ChalkInstance): string {
  const lines = [paint.bold(headline(`${plan.verb} ${cluster}`, plan)), '']
  lines.push(
    ...table(
      [
        ['node', 'role', 'work', 'why'].map((title) => paint.dim(title)),
        ...plan.nodes.map(({ node, role, work, why }) => [
          paint.bold(node),
          role,
          work === 'none' ? paint.dim('nothing') : work,
          why,
        ]),
      ],
      '  ',
    ),
  )
  const bySteps = new Map<string, string[]>()
  for (const { node, steps } of plan.nodes) {
    const text = steps.join(' → ')
    if (text !== '') bySteps.set(text, [...(bySteps.get(text) ?? []), node])
  }
  if (bySteps.size > 0) lines.push('')
  for (const [steps, nodes] of bySteps)
    lines.push(`  ${bySteps.size === 1 ? 'each' : nodes.join(', ')}: ${paint.dim(steps)}`)
  const drains = plan.nodes.flatMap(({ node, drain }) => (drain === undefined ? [] : [{ node, drain }]))
  if (drains.length > 0) lines.push('', ...drainLines(drains, paint).map((line) => `  ${line}`))
  if (plan.notes.length > 0) lines.push('', ...plan.notes.map((note) => `  ${note}`))
  return `${lines.join('\n')}\n`
}
