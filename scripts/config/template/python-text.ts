/** Values as Python prints them, since Jinja2 prints by Python's rules: `True`, `None`, `['a', 1]`. */
import { TemplateTrouble, type TemplateValue, typeName } from './template-value.ts'

/** Python's `str()`. `keysOf` gives the keys of a map in their own order. */
export function pythonText(value: TemplateValue, keysOf: KeysOf): string {
  return typeof value === 'string' ? value : value === undefined ? '' : pythonRepr(value, keysOf)
}

export type KeysOf = (map: Map<string, TemplateValue>) => string[]

function pythonRepr(value: TemplateValue, keysOf: KeysOf): string {
  if (value === undefined) return 'Undefined'
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : pythonFloat(value)
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map((item) => pythonRepr(item, keysOf)).join(', ')}]`
  return `{${keysOf(value)
    .map((key) => `${quoted(key)}: ${pythonRepr(value.get(key), keysOf)}`)
    .join(', ')}}`
}

/** Python's `repr()` of a float, which a whole one shows by `.0`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && (magnitude >= 1e16 || magnitude < 1e-4)) {
    const [digits, power = ''] = value.toExponential().split('e')
    return `${digits}e${power[0]}${power.slice(1).padStart(2, '0')}`
  }
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

const shortEscapes: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inner = text.replace(/[\\\n\r\t]|[\p{C}\p{Z}]|'/gu, (character) => {
    if (character === ' ') return character
    if (character === "'") return quote === "'" ? "\\'" : character
    const short = shortEscapes[character]
    if (short !== undefined) return short
    const code = character.codePointAt(0) ?? 0
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
  })
  return quote + inner + quote
}

const CONVERSION = /%(?:\((\w+)\))?([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g

/** Python's `text % values` for the conversions that configuration needs: s, r, d, i, x, X, o, f. */
export function percentFormat(text: string, values: readonly TemplateValue[], keysOf: KeysOf): string {
  let index = 0
  const result = text.replace(
    CONVERSION,
    (_, name: string | undefined, flags: string, width = '0', precision, letter) => {
      if (letter === '%') return '%'
      let value: TemplateValue
      if (name !== undefined) {
        const [map] = values
        value = map instanceof Map ? map.get(name) : undefined
      } else {
        if (index >= values.length) throw new TemplateTrouble('not enough arguments for format string')
        value = values[index++]
      }
      const body = converted(value, letter, flags, precision, keysOf)
      const pad = Number(width) - [...body].length
      if (pad <= 0) return body
      if (flags.includes('-')) return body + ' '.repeat(pad)
      if (flags.includes('0') && /[dixXof]/.test(letter)) {
        const sign = /^[-+ ]/.exec(body)?.[0] ?? ''
        return sign + '0'.repeat(pad) + body.slice(sign.length)
      }
      return ' '.repeat(pad) + body
    },
  )
  if (index < values.length && !/%\(/.test(text) && !(values.length === 1 && values[0] instanceof Map))
    throw new TemplateTrouble('not all arguments converted during string formatting')
  return result
}

function converted(
  value: TemplateValue,
  letter: string,
  flags: string,
  precision: string | undefined,
  keysOf: KeysOf,
): string {
  if (letter === 's' || letter === 'r') {
    const text = letter === 's' ? pythonText(value, keysOf) : pythonRepr(value, keysOf)
    return precision === undefined ? text : [...text].slice(0, Number(precision)).join('')
  }
  const number = typeof value === 'boolean' ? Number(value) : value
  if (typeof number !== 'number')
    throw new TemplateTrouble(`%${letter} format: a real number is required, not ${typeName(value)}`)
  const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  const magnitude = Math.abs(number)
  if (letter === 'd' || letter === 'i')
    return sign + String(Math.trunc(magnitude)).padStart(Number(precision ?? 0), '0')
  if (letter === 'x' || letter === 'X' || letter === 'o') {
    if (!Number.isInteger(number)) throw new TemplateTrouble(`%${letter} format: an integer is required, not float`)
    const prefix = flags.includes('#') ? `0${letter}` : ''
    const digits = magnitude.toString(letter === 'o' ? 8 : 16)
    return sign + prefix + (letter === 'X' ? digits.toUpperCase() : digits)
  }
  if (letter === 'f') return sign + magnitude.toFixed(Number(precision ?? 6))
  throw new TemplateTrouble(
    `the conversion %${letter} is not known here`,
    '`engine: jinja2` in operations.yaml renders it',
  )
}
