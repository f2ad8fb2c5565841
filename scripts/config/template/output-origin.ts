/**
 * Tells which line of which template a line of the output came from: the templates are rendered once more with a mark
 * of private-use characters before the first text of each of their lines, and the marks are looked for in the output.
 */

const start = 0xf0000
const end = '\u{ffffd}'

/** The mark of line `line` (from 1) of template `template`. Characters of a plane that no configuration uses. */
export const markerOf = (template: number, line: number): string =>
  [template, line]
    .map((number) => [...String(number)].map((digit) => String.fromCodePoint(start + Number(digit))).join('') + end)
    .join('')

const MARK = /([\u{f0000}-\u{f0009}]+)\u{ffffd}([\u{f0000}-\u{f0009}]+)\u{ffffd}/gu

/**
 * The origin of each line of `text`, of which `marked` is the rendering with marks. Undefined when the marks changed
 * what came out, as they do below a filter that counts or sorts: then nothing is known.
 */
export function originsOf(
  text: string,
  marked: string,
): ({ template: number; line: number } | undefined)[] | undefined {
  if (marked.replace(MARK, '') !== text) return undefined
  let last: { template: number; line: number } | undefined
  return marked.split('\n').map((row) => {
    const marks = [...row.matchAll(MARK)].map(([, template = '', line = '']) => ({
      template: digits(template),
      line: digits(line),
    }))
    // A value of several lines has its mark on the first of them.
    const here = marks[0] ?? last
    last = marks.at(-1) ?? last
    return here
  })
}

const digits = (text: string): number =>
  Number([...text].map((character) => (character.codePointAt(0) ?? start) - start).join(''))
