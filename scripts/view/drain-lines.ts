import type { ChalkInstance } from 'chalk'
import type { PlannedDrain } from '../../workflows/model/event.ts'
import { nameSome } from '../../workflows/plan/drain/name-some.ts'

const MOST = 4

/**
 * What a drain of each node means, a few lines a node: the pods that leave, what would block, what it costs somebody.
 * Nodes of which the same is to be said stand together.
 */
export function drainLines(nodes: readonly { node: string; drain: PlannedDrain }[], paint: ChalkInstance): string[] {
  const byText = new Map<string, string[]>()
  for (const { node, drain } of nodes) {
    const text = linesOf(drain, paint).join('\n')
    byText.set(text, [...(byText.get(text) ?? []), node])
  }
  return [...byText].flatMap(([text, names]) => {
    const [first = '', ...more] = text.split('\n')
    return [`${paint.bold(names.join(', '))}: ${first}`, ...more.map((line) => `  ${line}`)]
  })
}

function linesOf({ evicts, obstacles, whyNot }: PlannedDrain, paint: ChalkInstance): string[] {
  if (whyNot !== undefined) return [`nothing is evicted: ${whyNot}`]
  const what = evicts.length === 0 ? 'nothing to evict' : `evicts ${evicts.length}: ${nameSome(evicts, MOST, ', ')}`
  const blocks = obstacles.filter((o) => o.blocks)
  const costs = obstacles.filter((o) => !o.blocks)
  return [
    what,
    ...blocks.map(({ detail }) => paint.red(`blocked: ${detail}`)),
    ...costs.slice(0, MOST).map(({ detail }) => paint.dim(detail)),
    ...(costs.length > MOST ? [paint.dim(`and ${costs.length - MOST} more such remarks`)] : []),
  ]
}
