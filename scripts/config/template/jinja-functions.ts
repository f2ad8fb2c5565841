/**
 * What Jinja2's filters, tests and operators and Python's methods do, for values that come out of minijinja: one
 * function for each call that translate-template.ts words. Checked against python3 with jinja2 in test/.
 */
import { jinjaFilters } from './jinja-signatures.ts'
import { type KeysOf, percentFormat, pythonFloat, pythonText } from './python-text.ts'
import { type HelperWorld, json, templateHelpers } from './template-helpers.ts'
import { TemplateTrouble, type TemplateValue, typeName, undefinedMark } from './template-value.ts'

type Named = Readonly<Record<string, TemplateValue>>

export type JinjaWorld = HelperWorld & {
  /** a value that is not there is an error wherever it is used */
  strict: boolean
  /** what print shows of these lists would be in round brackets in Python */
  tuples: { add(value: TemplateValue): void }
}

/** Calls `name` (`filter:…`, `method:…`, `test:…`, `op:…`, `helper:…`, `dict`, `iterate`) with its arguments. */
export function callJinja(
  name: string,
  args: readonly TemplateValue[],
  named: Named,
  world: JinjaWorld,
): TemplateValue {
  const [kind = '', word = ''] = split2(name)
  const [value, ...rest] = args
  if (kind === 'filter') return filter(word, value, rest, named, world)
  if (kind === 'helper') return helper(word, args, named, world)
  if (kind === 'method') return method(word, value, rest, named, world)
  if (kind === 'test') return test(word, value, rest, world)
  if (kind === 'op') return operator(word, value, rest[0], world)
  if (name === 'dict')
    return new Map(args.map((pair) => [keyText((pair as TemplateValue[])[0]), (pair as TemplateValue[])[1]]))
  if (kind === 'dict()') {
    if (args.length > 0) throw new TemplateTrouble('dict takes named values only')
    return new Map(Object.entries(named))
  }
  return items(value, world)
}

const split2 = (name: string): [string, string] => {
  const colon = name.indexOf(':')
  return colon < 0 ? [name, ''] : [name.slice(0, colon), name.slice(colon + 1)]
}

function keyText(key: TemplateValue): string {
  if (typeof key === 'string') return key
  throw new TemplateTrouble(
    `a key is ${typeName(key)} here, and only strings are handed on alike`,
    '`engine: jinja2` in operations.yaml renders it',
  )
}

const missing = () => new TemplateTrouble('a value is undefined here')

/** What Python iterates: the characters of a string, the keys of a map. */
function items(value: TemplateValue, { keysOf, strict }: JinjaWorld): TemplateValue[] {
  if (Array.isArray(value)) return value
  if (typeof value === 'string') return [...value]
  if (value instanceof Map) return keysOf(value)
  if (value === undefined) {
    if (strict) throw missing()
    return []
  }
  throw new TemplateTrouble(`${typeName(value)} is not iterable`)
}

function bound(
  parameters: readonly string[],
  args: readonly TemplateValue[],
  named: Named,
  what: string,
): Record<string, TemplateValue> {
  if (args.length > parameters.length)
    throw new TemplateTrouble(`${what} takes ${parameters.length} arguments and was given ${args.length}`)
  const all: Record<string, TemplateValue> = {}
  args.forEach((arg, index) => {
    all[parameters[index] ?? ''] = arg
  })
  for (const [key, arg] of Object.entries(named)) {
    if (!parameters.includes(key) || key in all)
      throw new TemplateTrouble(`${what} got an unexpected argument '${key}'`)
    all[key] = arg
  }
  return all
}

function helper(name: string, args: readonly TemplateValue[], named: Named, world: JinjaWorld): TemplateValue {
  const found = templateHelpers[name]
  if (!found || args.length === 0) throw new TemplateTrouble(`${name} needs a value`)
  const [value, ...rest] = args
  if (value === undefined && world.strict) throw missing()
  return found.call(value, bound(found.parameters, rest, named, name), world)
}

const truthy = (value: TemplateValue): boolean =>
  Array.isArray(value) ? value.length > 0 : value instanceof Map ? value.size > 0 : Boolean(value)

function looked(value: TemplateValue, path: TemplateValue): TemplateValue {
  const parts =
    typeof path === 'number'
      ? [path]
      : String(path)
          .split('.')
          .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
  return parts.reduce<TemplateValue>((at, part) => {
    if (at instanceof Map) return at.get(String(part))
    if (Array.isArray(at) && typeof part === 'number') return at[part]
    return undefined
  }, value)
}

function attribute(value: TemplateValue, path: TemplateValue, fallback?: TemplateValue): TemplateValue {
  const found = looked(value, path)
  if (found !== undefined) return found
  if (fallback !== undefined && fallback !== null) return fallback
  throw new TemplateTrouble(`an item has no attribute '${pythonPath(path)}'`)
}

/** Only a path that the template could have written; anything else might be a value. */
const pythonPath = (path: TemplateValue): string =>
  typeof path === 'string' && /^[\w.-]{1,40}$/.test(path) ? path : '…'

function compare(a: TemplateValue, b: TemplateValue): number {
  const [x, y] = [a, b].map((value) => (typeof value === 'boolean' ? Number(value) : value))
  if (typeof x === 'number' && typeof y === 'number') return x - y
  if (typeof x === 'string' && typeof y === 'string') {
    const [left, right] = [[...x], [...y]]
    for (let index = 0; index < Math.min(left.length, right.length); index++) {
      const difference = (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0)
      if (difference !== 0) return difference
    }
    return left.length - right.length
  }
  if (Array.isArray(x) && Array.isArray(y)) {
    for (let index = 0; index < Math.min(x.length, y.length); index++)
      if (!equal(x[index], y[index])) return compare(x[index], y[index])
    return x.length - y.length
  }
  throw new TemplateTrouble(`${typeName(a)} and ${typeName(b)} have no order`)
}

function equal(a: TemplateValue, b: TemplateValue): boolean {
  const [x, y] = [a, b].map((value) => (typeof value === 'boolean' ? Number(value) : value))
  if (Array.isArray(x) && Array.isArray(y))
    return x.length === y.length && x.every((item, index) => equal(item, y[index]))
  if (x instanceof Map && y instanceof Map)
    return x.size === y.size && [...x].every(([key, item]) => y.has(key) && equal(item, y.get(key)))
  return x === y
}

const folded = (value: TemplateValue): TemplateValue => (typeof value === 'string' ? value.toLowerCase() : value)

/** Python's sort is stable, and so is this one. */
const sorted = (
  list: readonly TemplateValue[],
  key: (item: TemplateValue) => TemplateValue,
  reverse: boolean,
): TemplateValue[] => {
  const keyed = list.map((item) => ({ item, key: key(item) }))
  keyed.sort((a, b) => (reverse ? compare(b.key, a.key) : compare(a.key, b.key)))
  return keyed.map(({ item }) => item)
}

function filter(
  name: string,
  value: TemplateValue,
  args: readonly TemplateValue[],
  named: Named,
  world: JinjaWorld,
): TemplateValue {
  if (templateHelpers[name]) return helper(name, [value, ...args], named, world)
  const { keysOf, strict } = world
  if (value === undefined && (strict || /^(int|float|round|abs)$/.test(name))) throw missing()
  const str = (item: TemplateValue) => pythonText(item, keysOf)
  if (name === 'map') return mapped(value, args, named, world)
  if (/^(select|reject)/.test(name)) return selected(name, value, args, world)
  if (name === 'format')
    return Object.keys(named).length > 0
      ? percentFormat(str(value), [new Map(Object.entries(named))], keysOf)
      : percentFormat(str(value), args, keysOf)
  const given = bound(jinjaFilters[name]?.parameters ?? [], args, named, name)
  const key = () => {
    const sensitive = truthy(given.case_sensitive)
    return (item: TemplateValue) => {
      const found = given.attribute === undefined || given.attribute === null ? item : attribute(item, given.attribute)
      return sensitive ? found : folded(found)
    }
  }
  switch (name) {
    case 'string':
      return str(value)
    case 'upper':
      return str(value).toUpperCase()
    case 'lower':
      return str(value).toLowerCase()
    case 'capitalize':
      return capitalized(str(value))
    case 'title':
      return str(value).replace(/[^-\s({[<]+/g, capitalized)
    case 'trim':
      return stripped(str(value), given.chars, true, true)
    case 'replace':
      return replaced(str(value), str(given.old), str(given.new), given.count)
    case 'center': {
      const [text, width] = [str(value), whole(given.width ?? 80, 'center')]
      const pad = Math.max(0, width - [...text].length)
      // CPython puts the odd blank to the left when the width is odd.
      const left = Math.floor(pad / 2) + (pad & width & 1)
      return ' '.repeat(left) + text + ' '.repeat(pad - left)
    }
    case 'length':
    case 'count':
      if (typeof value === 'number' || typeof value === 'boolean' || value === null)
        throw new TemplateTrouble(`${typeName(value)} has no length`)
      return value instanceof Map ? value.size : items(value, world).length
    case 'first': {
      const [first] = items(value, world)
      if (first === undefined) throw new TemplateTrouble('the list is empty, so it has no first item')
      return first
    }
    case 'last': {
      const last = items(value, world).at(-1)
      if (last === undefined) throw new TemplateTrouble('the list is empty, so it has no last item')
      return last
    }
    case 'list':
      return [...items(value, world)]
    case 'join': {
      const list = items(value, world)
      const parts =
        given.attribute === undefined || given.attribute === null
          ? list
          : list.map((item) => attribute(item, given.attribute))
      return parts.map(str).join(given.d === undefined ? '' : str(given.d))
    }
    case 'sort':
      return sorted(items(value, world), sortKey(given), truthy(given.reverse))
    case 'unique': {
      const seen: TemplateValue[] = []
      const keyOf = key()
      return items(value, world).filter((item) => {
        const found = keyOf(item)
        if (typeof found === 'object' && found !== null)
          throw new TemplateTrouble(`a ${typeName(found)} can not be told apart by unique`)
        if (seen.some((other) => equal(other, found))) return false
        seen.push(found)
        return true
      })
    }
    case 'min':
    case 'max': {
      const list = items(value, world)
      const keyOf = key()
      if (list.length === 0) throw new TemplateTrouble(`the list is empty, so it has no ${name}`)
      return list.reduce((best, item) => {
        const order = compare(keyOf(item), keyOf(best))
        return (name === 'min' ? order < 0 : order > 0) ? item : best
      })
    }
    case 'sum': {
      const list = items(value, world)
      const parts =
        given.attribute === undefined || given.attribute === null
          ? list
          : list.map((item) => attribute(item, given.attribute))
      return parts.reduce((total, item) => added(total, item), given.start ?? 0)
    }
    case 'groupby': {
      const keyOf = (item: TemplateValue) => attribute(item, given.attribute, given.default)
      const fold = truthy(given.case_sensitive)
        ? (item: TemplateValue) => keyOf(item)
        : (item: TemplateValue) => folded(keyOf(item))
      const groups: [TemplateValue, TemplateValue[]][] = []
      let last: { key: TemplateValue } | undefined
      for (const item of sorted(items(value, world), fold, false)) {
        const found = fold(item)
        if (last && equal(last.key, found)) groups.at(-1)?.[1].push(item)
        else groups.push([keyOf(item), [item]])
        last = { key: found }
      }
      return pairs(groups, world)
    }
    case 'dictsort': {
      if (!(value instanceof Map)) throw new TemplateTrouble(`dictsort takes a map, and this is ${typeName(value)}`)
      if (given.by !== undefined && given.by !== 'key' && given.by !== 'value')
        throw new TemplateTrouble("dictsort sorts by 'key' or 'value'")
      const place = given.by === 'value' ? 1 : 0
      const entries: TemplateValue[] = keysOf(value).map((each) => [each, value.get(each)])
      const by = (entry: TemplateValue) => (entry as TemplateValue[])[place]
      return pairs(
        sorted(entries, truthy(given.case_sensitive) ? by : (entry) => folded(by(entry)), truthy(given.reverse)),
        world,
      )
    }
    case 'items':
      if (value === undefined) return []
      if (!(value instanceof Map)) throw new TemplateTrouble(`items takes a map, and this is ${typeName(value)}`)
      return pairs(
        keysOf(value).map((each) => [each, value.get(each)]),
        world,
      )
    case 'reverse':
      if (typeof value === 'string') return [...value].reverse().join('')
      return [...items(value, world)].reverse()
    case 'batch': {
      const size = whole(given.linecount, 'batch')
      if (size < 1) throw new TemplateTrouble('batch takes a number from 1')
      const list = items(value, world)
      const rows: TemplateValue[][] = []
      for (let at = 0; at < list.length; at += size) rows.push(list.slice(at, at + size))
      const last = rows.at(-1)
      if (given.fill_with !== undefined && given.fill_with !== null && last)
        while (last.length < size) last.push(given.fill_with)
      return rows
    }
    case 'int':
      return toInteger(value, given)
    case 'float': {
      const number =
        typeof value === 'string' ? pythonNumber(value) : typeof value === 'boolean' ? Number(value) : value
      return typeof number === 'number' && !Number.isNaN(number) ? number : (given.default ?? 0)
    }
    case 'abs':
      if (typeof value === 'number') return Math.abs(value)
      throw new TemplateTrouble(`abs takes a number, and this is ${typeName(value)}`)
    case 'round':
      return rounded(value, given)
    case 'indent': {
      if (typeof value !== 'string') throw new TemplateTrouble(`indent takes a string, and this is ${typeName(value)}`)
      return indented(value, given)
    }
    case 'tojson': {
      const text = json(value, keysOf, given.indent, true)
      return text.replace(/[<>&']/g, (character) => `\\u00${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    }
    case 'truncate':
      return truncated(value, given)
  }
  throw new TemplateTrouble(`no filter is called '${name}'`)
}

/** Sorting may be by several attributes, with commas between them. */
function sortKey(given: Record<string, TemplateValue>): (item: TemplateValue) => TemplateValue {
  const fold = truthy(given.case_sensitive) ? (item: TemplateValue) => item : folded
  if (given.attribute === undefined || given.attribute === null) return fold
  const paths = typeof given.attribute === 'string' ? given.attribute.split(',') : [given.attribute]
  return (item) => paths.map((path) => fold(attribute(item, path)))
}

function pairs(list: TemplateValue[], world: JinjaWorld): TemplateValue[] {
  for (const pair of list) world.tuples.add(pair)
  return list
}

function added(a: TemplateValue, b: TemplateValue): TemplateValue {
  if (typeof a === 'number' && typeof b === 'number') return a + b
  if (typeof a === 'number' && typeof b === 'boolean') return a + Number(b)
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b]
  throw new TemplateTrouble(`${typeName(a)} and ${typeName(b)} can not be added`)
}

function mapped(value: TemplateValue, args: readonly TemplateValue[], named: Named, world: JinjaWorld): TemplateValue {
  const list = items(value, world)
  if (args.length === 0) {
    if (named.attribute === undefined) throw new TemplateTrouble('map needs the name of a filter, or an attribute')
    for (const key of Object.keys(named))
      if (key !== 'attribute' && key !== 'default') throw new TemplateTrouble(`map got an unexpected argument '${key}'`)
    return list.map((item) => attribute(item, named.attribute, named.default))
  }
  const [name, ...rest] = args
  return list.map((item) => filter(String(name), item, rest, named, world))
}

function selected(
  name: string,
  value: TemplateValue,
  args: readonly TemplateValue[],
  world: JinjaWorld,
): TemplateValue {
  const byAttribute = name.endsWith('attr')
  const wanted = name.startsWith('select')
  const [path, ...others] = byAttribute ? args : [undefined, ...args]
  const [testName, ...rest] = others
  if (byAttribute && path === undefined) throw new TemplateTrouble(`${name} needs the name of an attribute`)
  return items(value, world).filter((item) => {
    const subject = byAttribute ? looked(item, path) : item
    if (testName === undefined && subject === undefined && world.strict) return attribute(item, path)
    return (testName === undefined ? truthy(subject) : test(String(testName), subject, rest, world)) === wanted
  })
}

const aliases: Record<string, string> = {
  equalto: '==',
  eq: '==',
  ne: '!=',
  lt: '<',
  lessthan: '<',
  le: '<=',
  gt: '>',
  greaterthan: '>',
  ge: '>=',
}

function test(name: string, value: TemplateValue, args: readonly TemplateValue[], world: JinjaWorld): boolean {
  const [other] = args
  const operation = aliases[name] ?? name
  const isNumber = typeof value === 'number'
  switch (operation) {
    case 'defined':
      return value !== undefined
    case 'undefined':
      return value === undefined
    case 'none':
      return value === null
    case 'string':
      return typeof value === 'string'
    case 'number':
      return isNumber || typeof value === 'boolean'
    case 'integer':
      return isNumber && Number.isInteger(value)
    case 'float':
      return isNumber && !Number.isInteger(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'true':
      return value === true
    case 'false':
      return value === false
    case 'mapping':
      return value instanceof Map
    case 'iterable':
    case 'sequence':
      if (value === undefined) throw missing()
      return typeof value === 'string' || Array.isArray(value) || value instanceof Map
  }
  if (value === undefined && world.strict) throw missing()
  if (operation === '==') return equal(value, other)
  if (operation === '!=') return !equal(value, other)
  if (operation === 'lower' || operation === 'upper') {
    const text = pythonText(value, world.keysOf)
    const cased = operation === 'lower' ? text.toLowerCase() : text.toUpperCase()
    return text === cased && text.toLowerCase() !== text.toUpperCase()
  }
  if (operation === 'odd' || operation === 'even' || operation === 'divisibleby') {
    const divisor = operation === 'divisibleby' ? whole(other, operation) : 2
    const rest = modulo(typeof value === 'boolean' ? Number(value) : whole(value, operation), divisor)
    return operation === 'odd' ? rest === 1 : rest === 0
  }
  return operator(operation, value, other, world) as boolean
}

function operator(name: string, a: TemplateValue, b: TemplateValue, world: JinjaWorld): TemplateValue {
  switch (name) {
    case '<':
      return compare(a, b) < 0
    case '>':
      return compare(a, b) > 0
    case '<=':
      return compare(a, b) <= 0
    case '>=':
      return compare(a, b) >= 0
    case 'not in':
      return !contains(a, b, world)
    case 'in':
      return contains(a, b, world)
    case '+':
    case '-':
    case '*':
    case '//':
    case '**':
      return arithmetic(name, a, b)
    case '/': {
      const [over, under] = [a, b].map((value) => (typeof value === 'boolean' ? Number(value) : value))
      if (typeof over !== 'number' || typeof under !== 'number')
        throw new TemplateTrouble(`${typeName(a)} and ${typeName(b)} can not be divided`)
      if (under === 0) throw new TemplateTrouble('division by zero')
      return over / under
    }
    case '% tuple':
      return percentFormat(formatText(a), b as TemplateValue[], world.keysOf)
    case '%':
      if (typeof a === 'string') return percentFormat(a, [b], world.keysOf)
      return modulo(whole(a, "'%'"), whole(b, "'%'"))
  }
  throw new TemplateTrouble(`no test is called '${name}'`)
}

function arithmetic(name: string, a: TemplateValue, b: TemplateValue): TemplateValue {
  const [x, y] = [a, b].map((value) => (typeof value === 'boolean' ? Number(value) : value))
  if (name === '+' && typeof a === 'string' && typeof b === 'string') return a + b
  if (name === '+' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b]
  if (name === '*' && (typeof a === 'string' || typeof b === 'string' || Array.isArray(a) || Array.isArray(b))) {
    const [many, times] = typeof a === 'string' || Array.isArray(a) ? [a, b] : [b, a]
    const count = Math.max(0, whole(times, "'*'"))
    if (typeof many !== 'string' && !Array.isArray(many))
      throw new TemplateTrouble(`${typeName(b)} can not be repeated`)
    if (count * many.length > 1_000_000) throw new TemplateTrouble('what is repeated here gets longer than a million')
    return typeof many === 'string' ? many.repeat(count) : Array.from({ length: count }, () => many).flat(1)
  }
  if (typeof x !== 'number' || typeof y !== 'number')
    throw new TemplateTrouble(`${typeName(a)} and ${typeName(b)} have no '${name}'`)
  if (name === '//' && y === 0) throw new TemplateTrouble('division by zero')
  if (name === '**' && y < 0)
    throw new TemplateTrouble('a negative power is no whole number', '`engine: jinja2` in operations.yaml renders it')
  const result =
    name === '+' ? x + y : name === '-' ? x - y : name === '*' ? x * y : name === '//' ? Math.floor(x / y) : x ** y
  if (!Number.isSafeInteger(result))
    throw new TemplateTrouble(
      'a number this large is not kept exactly',
      '`engine: jinja2` in operations.yaml renders it',
    )
  return result === 0 ? 0 : result
}

const formatText = (value: TemplateValue): string => {
  if (typeof value === 'string') return value
  throw new TemplateTrouble(`${typeName(value)} is no text to format`)
}

function contains(item: TemplateValue, list: TemplateValue, world: JinjaWorld): boolean {
  if (typeof list === 'string') {
    if (typeof item !== 'string')
      throw new TemplateTrouble(`'in' a string takes a string, and this is ${typeName(item)}`)
    return list.includes(item)
  }
  if (list instanceof Map) return typeof item === 'string' && list.has(item)
  return items(list, world).some((other) => equal(item, other))
}

function modulo(a: number, b: number): number {
  if (b === 0) throw new TemplateTrouble('division by zero')
  return a - b * Math.floor(a / b)
}

function whole(value: TemplateValue, what: string): number {
  const number = typeof value === 'boolean' ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number)) return number
  throw new TemplateTrouble(`${what} takes a whole number, and this is ${typeName(value)}`)
}

const capitalized = (text: string): string => {
  const [first = '', ...rest] = text
  return first.toUpperCase() + rest.join('').toLowerCase()
}

function stripped(text: string, chars: TemplateValue, start: boolean, end: boolean): string {
  const set = chars === undefined || chars === null ? undefined : new Set(formatText(chars))
  const drop = (character: string | undefined) =>
    character !== undefined && (set ? set.has(character) : /[\s\x85]/.test(character))
  const characters = [...text]
  let from = 0
  let to = characters.length
  while (start && from < to && drop(characters[from])) from++
  while (end && to > from && drop(characters[to - 1])) to--
  return characters.slice(from, to).join('')
}

function replaced(text: string, old: string, by: string, count: TemplateValue): string {
  if (count === undefined || count === null || (typeof count === 'number' && count < 0))
    return (
      text
        .split(old)
        .join(by)
        .replace(/^/, old === '' && text !== '' ? by : '') + (old === '' ? by : '')
    )
  const parts = text.split(old)
  const times = Math.min(whole(count, 'replace'), parts.length - 1)
  if (old === '') throw new TemplateTrouble('replace takes a text to look for')
  return [parts.slice(0, times + 1).join(by), ...parts.slice(times + 1)].join(old)
}

const LINES = /\r\n|[\n\r\v\f\x85\u2028\u2029]/
function splitLines(text: string): string[] {
  const lines = text.split(LINES)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function indented(text: string, given: Record<string, TemplateValue>): string {
  const width = given.width ?? 4
  const pad = typeof width === 'string' ? width : ' '.repeat(Math.max(0, whole(width, 'indent')))
  const lines = splitLines(`${text}\n`)
  const [first = '', ...rest] = lines
  const body = truthy(given.blank)
    ? lines.join(`\n${pad}`)
    : [first, ...rest.map((line) => (line ? pad + line : line))].join('\n')
  return (truthy(given.first) ? pad : '') + body
}

function truncated(value: TemplateValue, given: Record<string, TemplateValue>): string {
  if (typeof value !== 'string') throw new TemplateTrouble(`truncate takes a string, and this is ${typeName(value)}`)
  const [length, end, leeway] = [
    whole(given.length ?? 255, 'truncate'),
    formatText(given.end ?? '...'),
    whole(given.leeway ?? 5, 'truncate'),
  ]
  const characters = [...value]
  if (length < [...end].length) throw new TemplateTrouble('truncate: the length is less than that of its end')
  if (characters.length <= length + leeway) return value
  const cut = characters.slice(0, length - [...end].length).join('')
  const blank = cut.lastIndexOf(' ')
  return (truthy(given.killwords) || blank < 0 ? cut : cut.slice(0, blank)) + end
}

const pythonNumber = (text: string): number => {
  if (/^\s*[-+]?(inf|infinity|nan)\s*$/i.test(text)) throw new TemplateTrouble('infinite numbers are not known here')
  const plain = text.trim().replace(/(?<=\d)_(?=\d)/g, '')
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : Number.NaN
}

function toInteger(value: TemplateValue, given: Record<string, TemplateValue>): TemplateValue {
  const fallback = given.default ?? 0
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : fallback
  if (typeof value !== 'string') return fallback
  const base = whole(given.base ?? 10, 'int')
  const [, sign = '', prefix = '', digits = ''] = /^\s*([-+]?)(0[xXoObB])?(\w+)\s*$/.exec(value) ?? []
  const prefixed = { x: 16, o: 8, b: 2 }[prefix[1]?.toLowerCase() ?? ''] ?? base
  const clean = digits.replace(/(?<=\w)_(?=\w)/g, '').toLowerCase()
  const fits = prefixed === base && clean !== '' && [...clean].every((digit) => Number.parseInt(digit, 36) < base)
  if (fits) return Number.parseInt(clean, base) * (sign === '-' ? -1 : 1)
  const float = pythonNumber(value)
  return Number.isNaN(float) ? fallback : Math.trunc(float)
}

function rounded(value: TemplateValue, given: Record<string, TemplateValue>): number {
  const number = typeof value === 'boolean' ? Number(value) : value
  if (typeof number !== 'number') throw new TemplateTrouble(`round takes a number, and this is ${typeName(value)}`)
  const precision = whole(given.precision ?? 0, 'round')
  const factor = 10 ** precision
  if (given.method === 'ceil') return Math.ceil(number * factor) / factor
  if (given.method === 'floor') return Math.floor(number * factor) / factor
  if (given.method !== undefined && given.method !== 'common')
    throw new TemplateTrouble("round knows 'common', 'ceil' and 'floor'")
  if (precision > 0) return Number(number.toFixed(precision))
  // Python rounds a half to the even neighbour.
  const scaled = number * factor
  const down = Math.floor(scaled)
  const rest = scaled - down
  return (rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down) / factor
}

function method(
  name: string,
  value: TemplateValue,
  args: readonly TemplateValue[],
  named: Named,
  world: JinjaWorld,
): TemplateValue {
  if (value === undefined) throw missing()
  const trouble = () => new TemplateTrouble(`${typeName(value)} has no method '${name}'`)
  const [first, second] = args
  if (Object.keys(named).length > 0 && name !== 'format') {
    if (name !== 'split' && name !== 'rsplit') throw new TemplateTrouble(`${name}() takes no named arguments`)
  }
  if (value instanceof Map) {
    if (value.has(name))
      throw new TemplateTrouble(
        `'${name}' is a key here, and a method in Jinja2`,
        '`engine: jinja2` in operations.yaml renders it',
      )
    if (name === 'keys') return world.keysOf(value)
    if (name === 'values') return world.keysOf(value).map((key) => value.get(key))
    if (name === 'items')
      return pairs(
        world.keysOf(value).map((key) => [key, value.get(key)]),
        world,
      )
    if (name === 'get') return value.get(keyText(first)) ?? second ?? null
    throw trouble()
  }
  if (Array.isArray(value)) {
    if (name === 'count') return value.filter((item) => equal(item, first)).length
    if (name !== 'index') throw trouble()
    const found = value.findIndex((item) => equal(item, first))
    if (found < 0) throw new TemplateTrouble('index(): the list has no such item')
    return found
  }
  if (typeof value !== 'string') throw trouble()
  return stringMethod(name, value, args, named, world, trouble)
}

function stringMethod(
  name: string,
  value: string,
  args: readonly TemplateValue[],
  named: Named,
  world: JinjaWorld,
  trouble: () => Error,
): TemplateValue {
  const [first, second] = args
  const text = (arg: TemplateValue) => {
    if (typeof arg === 'string') return arg
    throw new TemplateTrouble(`${name}() takes a string, and this is ${typeName(arg)}`)
  }
  const some = (arg: TemplateValue) => (Array.isArray(arg) ? arg.map(text) : [text(arg)])
  const all = (pattern: RegExp) => {
    if (/[^\p{ASCII}]/u.test(value))
      throw new TemplateTrouble(
        `${name}() of letters beyond ASCII is not known here`,
        '`engine: jinja2` in operations.yaml renders it',
      )
    return value !== '' && pattern.test(value)
  }
  const alone = (count: number) => {
    if (args.length > count)
      throw new TemplateTrouble(
        `${name}() with ${args.length} arguments is not known here`,
        '`engine: jinja2` in operations.yaml renders it',
      )
  }
  switch (name) {
    case 'upper':
      return value.toUpperCase()
    case 'lower':
      return value.toLowerCase()
    case 'swapcase':
      return [...value].map((each) => (each === each.toUpperCase() ? each.toLowerCase() : each.toUpperCase())).join('')
    case 'capitalize':
      return capitalized(value)
    case 'title':
      return value.replace(/\p{L}+/gu, capitalized)
    case 'strip':
      return stripped(value, first, true, true)
    case 'lstrip':
      return stripped(value, first, true, false)
    case 'rstrip':
      return stripped(value, first, false, true)
    case 'startswith':
      alone(1)
      return some(first).some((prefix) => value.startsWith(prefix))
    case 'endswith':
      alone(1)
      return some(first).some((suffix) => value.endsWith(suffix))
    case 'removeprefix':
      return value.startsWith(text(first)) ? value.slice(text(first).length) : value
    case 'removesuffix':
      return value.endsWith(text(first)) && first !== '' ? value.slice(0, value.length - text(first).length) : value
    case 'replace':
      return replaced(value, text(first), text(second), args[2])
    case 'find':
    case 'rfind':
    case 'index': {
      alone(1)
      const place = name === 'rfind' ? value.lastIndexOf(text(first)) : value.indexOf(text(first))
      if (name === 'index' && place < 0) throw new TemplateTrouble('index(): substring not found')
      return place < 0 ? -1 : [...value.slice(0, place)].length
    }
    case 'count':
      alone(1)
      return text(first) === '' ? [...value].length + 1 : value.split(text(first)).length - 1
    case 'split':
    case 'rsplit':
      return splitText(value, first ?? named.sep, second ?? named.maxsplit, name === 'rsplit')
    case 'splitlines':
      alone(0)
      return splitLines(value)
    case 'join':
      return items(first, world).map(text).join(value)
    case 'isdigit':
      return all(/^\p{Nd}+$/u)
    case 'isalpha':
      return all(/^\p{L}+$/u)
    case 'isalnum':
      return all(/^[\p{L}\p{N}]+$/u)
    case 'zfill': {
      const sign = /^[-+]/.exec(value)?.[0] ?? ''
      return sign + value.slice(sign.length).padStart(whole(first, 'zfill') - sign.length, '0')
    }
    case 'ljust':
      return value.padEnd(whole(first, name), second === undefined ? ' ' : text(second))
    case 'rjust':
      return value.padStart(whole(first, name), second === undefined ? ' ' : text(second))
    case 'format': {
      let next = 0
      return value.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, field?: string) => {
        if (field === undefined) return whole[0] ?? ''
        if (!/^\w*$/.test(field))
          throw new TemplateTrouble(
            `format(): the field {${field}} is not known here`,
            '`engine: jinja2` in operations.yaml renders it',
          )
        const found = field === '' ? args[next++] : /^\d+$/.test(field) ? args[Number(field)] : named[field]
        if (found === undefined) throw new TemplateTrouble('format(): a field has no value')
        return pythonText(found, world.keysOf)
      })
    }
  }
  throw trouble()
}

function splitText(value: string, separator: TemplateValue, limit: TemplateValue, fromRight: boolean): string[] {
  const max = limit === undefined ? Number.POSITIVE_INFINITY : whole(limit, 'split')
  const times = max < 0 ? Number.POSITIVE_INFINITY : max
  if (separator === undefined || separator === null) {
    const words = value.trim().split(/\s+/).filter(Boolean)
    if (words.length - 1 <= times) return words
    // What is left over keeps the blanks inside it.
    const pattern = fromRight
      ? new RegExp(`^(.*?)((?:\\s+\\S+){${times}})\\s*$`, 's')
      : new RegExp(`^\\s*((?:\\S+\\s+){${times}})(.*)$`, 's')
    const [, left = '', right = ''] = pattern.exec(value) ?? []
    return fromRight
      ? [left.trimEnd(), ...right.trim().split(/\s+/)]
      : [...left.trim().split(/\s+/), right.trimEnd()].filter((word) => word !== '')
  }
  const by = formatText(separator)
  if (by === '') throw new TemplateTrouble('split(): empty separator')
  const parts = value.split(by)
  if (parts.length - 1 <= times) return parts
  return fromRight
    ? [parts.slice(0, parts.length - times).join(by), ...parts.slice(parts.length - times)]
    : [...parts.slice(0, times), parts.slice(times).join(by)]
}

/** What a number that minijinja printed as JSON looks like in Python; it alone still shows a float that is whole. */
const printedNumber = (text: string): string | undefined =>
  /^-?\d+$/.test(text) ? text : /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text) ? pythonFloat(Number(text)) : undefined

/** The text of a printed value, from its JSON. `keysOf` and `isTuple` know what JSON does not say. */
export function printed(text: string, keysOf: KeysOf, refuseTuple: (value: TemplateValue) => void): string {
  const number = printedNumber(text)
  if (number !== undefined) return number
  const value = fromJson(JSON.parse(text))
  if (typeof value === 'object') refuseTuple(value)
  return pythonText(value, keysOf)
}

function fromJson(value: unknown): TemplateValue {
  if (value === undefinedMark) return undefined
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value === 'object' && value !== null)
    return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]))
  return value as TemplateValue
}
