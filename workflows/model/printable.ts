/**
 * Text for a terminal: what a terminal would obey instead of showing it (escapes, bells, signs that turn the direction of
 * writing) is shown as it is written in JSON. Lines and tabs stay.
 */
export const printable = (text: string): string =>
  text.replace(/[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, written)

const written = (sign: string): string => `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`

/** The same on one line, and no longer than anybody reads. */
export function shortened(text: string, most = 80): string {
  const signs = [...text]
  const cut = signs.length > most ? `${signs.slice(0, most - 1).join('')}…` : text
  return printable(cut).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
