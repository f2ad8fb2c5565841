/**
 * Writes YAML as Go's yaml library does (go.yaml.in/yaml v4.0.0-rc.5, `Marshal`), byte for byte: the Image Factory names a
 * schematic after the hash of exactly this text. Quotes, indents and the order of keys are that library's
 * (internal/libyaml: representer, desolver, emitter).
 */

export type GoValue =
  | string
  | number
  | boolean
  | null
  | readonly GoValue[]
  | { readonly [key: string]: GoValue }
  /** keys in the order of a struct; a plain object's are sorted, as of a map */
  | Fields

/** A struct: its fields in their own order. */
export class Fields {
  readonly entries: readonly (readonly [string, GoValue])[]
  constructor(entries: readonly (readonly [string, GoValue])[]) {
    this.entries = entries
  }
}

/** The whole document, ending with a line break. */
export const goYaml = (value: Fields): string => `${block(value, 0, true).slice(1)}\n`

/**
 * What follows a key or a dash; `indent` is that of its lines. A list in a list, or a map in one, starts on the same line
 * and two further; below a key it goes on to the next multiple of four.
 */
function block(value: GoValue, indent: number, inSequence: boolean): string {
  const lines = (items: string[]) =>
    (inSequence ? ' ' : `\n${' '.repeat(indent)}`) + items.join(`\n${' '.repeat(indent)}`)
  if (isList(value)) {
    if (value.length === 0) return ' []'
    return lines(value.map((item) => `-${block(item, indent + 2, true)}`))
  }
  if (typeof value === 'object' && value !== null) {
    const entries = value instanceof Fields ? value.entries : Object.entries(value).sort(([a], [b]) => byKey(a, b))
    if (entries.length === 0) return ' {}'
    return lines(entries.map(([key, item]) => `${text(key, 0, true)}:${block(item, indent + 4 - (indent % 4), false)}`))
  }
  if (typeof value === 'string') return ` ${text(value, indent, false)}`
  // Go writes an exponent with a sign, as JavaScript does
  return ` ${value}`
}

const isList = (value: GoValue): value is readonly GoValue[] => Array.isArray(value)

/** A string in the plainest style that reads back as this string. */
function text(value: string, indent: number, isKey: boolean): string {
  const printable = !/[^\n\t\r\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|\r/u.test(
    value.replaceAll('\u0085', '\0'),
  )
  const broken = /[\n\u2028\u2029]/.test(value)
  const spaceBreak = / [\n\u2028\u2029]/.test(value)
  if (value.includes('\n')) {
    const literal = !isKey && /\S/.test(value) && value.length > 1 && printable && !spaceBreak && !value.endsWith(' ')
    return literal ? literalText(value, indent) : doubleQuoted(value)
  }
  const singleAllowed = printable && !spaceBreak && !/[\n\u2028\u2029] /.test(value) && !value.includes('\t')
  if (isForcedSingle(value)) return singleAllowed ? singleQuoted(value) : doubleQuoted(value)
  if (looksLikeOther(value)) return doubleQuoted(value)
  const plain =
    singleAllowed &&
    !broken &&
    !/^ | $/.test(value) &&
    !/^(---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-]([ \t]|$))/.test(value) &&
    !/:([ \t]|$)|[ \t]#/.test(value)
  if (plain) return value
  return singleAllowed ? singleQuoted(value) : doubleQuoted(value)
}

/** What YAML 1.1 reads as something else: quoted, although this library would not read it so. */
const isForcedSingle = (value: string): boolean =>
  /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/.test(value) ||
  /^([yY]|yes|Yes|YES|[oO]n|ON|[nN]|no|No|NO|[oO]ff|OFF|<<)$/.test(value)

/** A string that would be read as null, a boolean, a number or a time. */
function looksLikeOther(value: string): boolean {
  if (/^(|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|\.(nan|NaN|NAN)|[-+]?\.(inf|Inf|INF))$/.test(value))
    return true
  if (/^\.[0-9]/.test(value)) return isFinite64(value) && /^\.[0-9]+([eE][-+]?[0-9]+)?$/.test(value)
  if (!/^[-+0-9]/.test(value)) return false
  if (isTime(value)) return true
  const plain = value.replaceAll('_', '')
  if (isInteger(plain)) return true
  return /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(plain) && isFinite64(plain)
}

const isFinite64 = (value: string): boolean => Number.isFinite(Number(value))

/** strconv.ParseInt and ParseUint with base 0, so that only what fits into 64 bits counts. */
function isInteger(value: string): boolean {
  const [, sign, digits] = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(value) ?? []
  if (digits === undefined) return false
  const size = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase())
  if (sign === '-') return size <= 2n ** 63n
  return size < (sign === '+' ? 2n ** 63n : 2n ** 64n)
}

function isTime(value: string): boolean {
  const match =
    /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})([.,]\d+)?(?:Z|[-+]\d\d:\d\d))|(?: (\d{1,2}):(\d{1,2}):(\d{1,2})([.,]\d+)?))?$/.exec(
      value,
    )
  if (!match) return false
  const [year = 0, month = 0, day = 0, ...times] = match.slice(1).map((part) => Number(part ?? 0))
  const [hours = 0, minutes = 0, seconds = 0] = [times[0] || times[4], times[1] || times[5], times[2] || times[6]]
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hours < 24 && minutes < 60 && seconds < 60
}

const singleQuoted = (value: string): string => `'${value.replaceAll("'", "''")}'`

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\t': '\\t',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

function doubleQuoted(value: string): string {
  const escaped = [...value].map((character) => {
    if (character !== '\t' && /[\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u.test(character)) {
      return ESCAPES[character] ?? character
    }
    const known = ESCAPES[character]
    if (known !== undefined) return known
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16).toUpperCase()
    if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`
    return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
  })
  return `"${escaped.join('')}"`
}

function literalText(value: string, indent: number): string {
  const hint = value.startsWith(' ') ? '4' : ''
  const chomp = value.endsWith('\n\n') || value === '\n' ? '+' : value.endsWith('\n') ? '' : '-'
  const lines = (value.endsWith('\n') ? value.slice(0, -1) : value).split('\n')
  return [`|${hint}${chomp}`, ...lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line))].join('\n')
}

const isLetter = (character: string): boolean => /^\p{L}$/u.test(character)
const isDigit = (character: string | undefined): boolean => character !== undefined && /^\p{Nd}$/u.test(character)

/** The order of a map's keys: letters after everything else, numbers in a name by their size. */
function byKey(a: string, b: string): number {
  return a === b ? 0 : isLess([...a], [...b]) ? -1 : 1
}

function isLess(a: string[], b: string[]): boolean {
  let digits = false
  for (const [index, mine] of a.entries()) {
    const theirs = b[index]
    if (theirs === undefined) return false
    if (mine === theirs) {
      digits = isDigit(mine)
      continue
    }
    const [letter, theirLetter] = [isLetter(mine), isLetter(theirs)]
    if (letter && theirLetter) return mine < theirs
    if (letter || theirLetter) return digits ? letter : theirLetter
    const number = (from: string[]) => {
      let end = index
      while (isDigit(from[end])) end++
      // after a digit that both share a zero counts
      const shared = mine === '0' || theirs === '0' ? sharedNonZero(from, index) : 0
      const size = from.slice(index, end).reduce<number>((sum, digit) => sum * 10 + Number(digit), shared)
      return { size, end }
    }
    const [mySize, theirSize] = [number(a), number(b)]
    if (mySize.size !== theirSize.size) return mySize.size < theirSize.size
    if (mySize.end !== theirSize.end) return mySize.end < theirSize.end
    return mine < theirs
  }
  return a.length < b.length
}

function sharedNonZero(from: string[], index: number): 0 | 1 {
  for (let before = index - 1; before >= 0 && isDigit(from[before]); before--) if (from[before] !== '0') return 1
  return 0
}
