import { stripVTControlCharacters } from 'node:util'

/** Rows as left-aligned columns with two spaces between them; colours take no width. A last cell is never padded. */
export function table(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = []
  const widthOf = (cell: string) => [...stripVTControlCharacters(cell)].length
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))
  return rows.map((row) => {
    const cells = row.map((cell, i) => cell + ' '.repeat(Math.max((widths[i] ?? 0) - widthOf(cell), 0)))
    return `${indent}${cells.join('  ')}`.trimEnd()
  })
}
