import type { Tier } from './test-files.ts'

/** The chapters of README.md whose list items are promises. */
const chapters = ['From declaration to configurations', 'What an upgrade does', 'What it promises']

/** Test files of each tier, relative to test/. */
type Files = Readonly<Record<Tier, readonly string[]>>

/**
 * What is wrong with the table of proofs in test/README.md, in sentences: a promise of README.md that no row or several rows
 * begin like, a row of no promise, a proof that the tier of its column does not run, a promise that `npm test` proves
 * nowhere, and a test file that is named anywhere in it and is not there.
 */
export function unproved(readme: string, table: string, files: Files): string[] {
  const promises = promisesOf(readme)
  const rows = proofsOf(table)
  const named = new Set(table.match(/(?<=`(?:test\/)?)(?!test\/)[\w/.-]+\.test\.ts(?=`)/g))
  return [
    ...promises.flatMap((promise) => {
      const own = rows.filter(({ begins }) => promise.startsWith(begins))
      return own.length === 1 ? [] : [`${own.length} rows for: ${promise.slice(0, 60)}`]
    }),
    ...rows.flatMap(({ begins, proofs }) => [
      ...(promises.some((promise) => promise.startsWith(begins)) ? [] : [`nobody promises: ${begins}`]),
      ...(proofs.some(({ tier }) => tier === 'quick') ? [] : [`npm test does not prove: ${begins}`]),
      ...proofs.flatMap(({ tier, file }) =>
        files[tier].includes(file) ? [] : [`${file} is not in the tier of its column: ${begins}`],
      ),
    ]),
    ...[...named].flatMap((file) =>
      files.quick.includes(file) || files.full.includes(file) ? [] : [`${file} is not there`],
    ),
  ]
}

/** The list items of the chapters, as plain text in a line each. */
function promisesOf(readme: string): string[] {
  const own = readme.split(/^## /m).filter((chapter) => chapters.some((name) => chapter.startsWith(`${name}\n`)))
  const items = own.flatMap((chapter) => chapter.match(/^(?:- |\d+\. ).*(?:\n {2,}.*)*/gm) ?? [])
  return items.map((item) =>
    item
      .replace(/^(?:- |\d+\. )/, '')
      .replaceAll('**', '')
      .replace(/\s+/g, ' '),
  )
}

/** The rows of all tables that have a column for the full tier; the columns before it are those of `npm test`. */
function proofsOf(table: string): { begins: string; proofs: { tier: Tier; file: string }[] }[] {
  const tables = table.split('\n\n').filter((part) => part.includes('| `npm run test:full` |'))
  const lines = tables.flatMap((part) => part.split('\n').slice(2))
  return lines.map((line) => {
    const [begins = '', ...cells] = line.replace(/^\| ?| ?\|$/g, '').split(/ ?\| ?/)
    const proofs = cells.flatMap((cell, index) =>
      [...cell.matchAll(/`([\w/.-]+)`/g)].map(([, stem]) => ({
        tier: index === cells.length - 1 ? ('full' as const) : ('quick' as const),
        file: `${stem}.test.ts`,
      })),
    )
    return { begins, proofs }
  })
}
