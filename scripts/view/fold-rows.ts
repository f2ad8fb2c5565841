import type { Row } from './live-rows.ts'

export type FoldedRows = {
  /** names of the rows that are shown */
  shown: ReadonlySet<string>
  /** names of the rows that also have a line for what they wait for */
  detailed: ReadonlySet<string>
  /** what became of the others: "+31 waiting, +12 done"; absent when all are shown */
  rest?: string
}

/**
 * What fits into `height` lines, since a list taller than the terminal leaves torn frames behind (listr2#296). The first
 * row stays, then come failed nodes and nodes at work, then those that wait, and last those that are done.
 */
export function foldRows(rows: readonly Row[], height: number): FoldedRows {
  const rank = { failed: 0, working: 1, waiting: 2, done: 3 } as const
  const [first, ...others] = rows
  if (first === undefined) return { shown: new Set(), detailed: new Set() }
  const lines = Math.max(height, 2)
  const kept = [...others].sort((a, b) => rank[a.state] - rank[b.state]).slice(0, lines - 1)
  const shown = new Set([first, ...kept].map(({ name }) => name))

  const detailed = new Set<string>()
  for (const row of rows)
    if (shown.has(row.name) && row.waits !== undefined && shown.size + detailed.size < lines) detailed.add(row.name)

  const hidden = others.filter(({ name }) => !shown.has(name))
  if (hidden.length === 0) return { shown, detailed }
  const counts = (['failed', 'working', 'waiting', 'done'] as const).flatMap((state) => {
    const count = hidden.filter((row) => row.state === state).length
    return count === 0 ? [] : [`+${count} ${state}`]
  })
  return { shown, detailed, rest: counts.join(', ') }
}
