/**
 * The filters and functions that templates get beyond Jinja's own. render-with-jinja2.py has them in Python; test/fixtures/templates
 * holds both to the same results. Each fails with a TemplateTrouble that names no value.
 */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ipaddr from 'ipaddr.js'
import { parse } from 'yaml'
import { fromPlain } from './plain-value.ts'
import { type KeysOf, pythonFloat } from './python-text.ts'
import { TemplateTrouble, type TemplateValue, typeName } from './template-value.ts'

export type HelperWorld = { keysOf: KeysOf; root: string }

export type Helper = {
  parameters: readonly string[]
  /** `value` is what stands before the bar, or the first argument of a function */
  call(value: TemplateValue, args: Readonly<Record<string, TemplateValue>>, world: HelperWorld): TemplateValue
}

const text = (value: TemplateValue, helper: string): string => {
  if (typeof value === 'string') return value
  throw new TemplateTrouble(`${helper} takes a string, and this is ${article(typeName(value))}`)
}

const article = (name: string): string =>
  name === 'none' || name === 'undefined' ? name : /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`

export const templateHelpers: Readonly<Record<string, Helper>> = {
  to_yaml: {
    parameters: ['indent'],
    call: (value, { indent = 2 }, { keysOf }) => {
      if (typeof indent !== 'number') throw new TemplateTrouble('to_yaml takes a number as indent')
      return yamlLines(value, keysOf, indent).join('\n')
    },
  },
  from_yaml: {
    parameters: [],
    call: (value) => fromPlain(parsed(() => parse(text(value, 'from_yaml')), 'from_yaml', 'YAML')),
  },
  to_json: { parameters: ['indent'], call: (value, { indent }, { keysOf }) => json(value, keysOf, indent, false) },
  from_json: {
    parameters: [],
    call: (value) => fromPlain(parsed(() => JSON.parse(text(value, 'from_json')), 'from_json', 'JSON')),
  },
  fromjson: {
    parameters: [],
    call: (value) => fromPlain(parsed(() => JSON.parse(text(value, 'fromjson')), 'fromjson', 'JSON')),
  },
  b64encode: { parameters: [], call: (value) => Buffer.from(text(value, 'b64encode'), 'utf8').toString('base64') },
  b64decode: { parameters: [], call: (value) => Buffer.from(text(value, 'b64decode'), 'base64').toString('utf8') },
  /** As makejinja's plugin of cluster-template has it: the name of a file without its last extension. */
  basename: {
    parameters: [],
    call: (value) => {
      const name = text(value, 'basename').replace(/\/+$/, '').split('/').at(-1) ?? ''
      const dot = name.lastIndexOf('.')
      return dot > 0 && dot < name.length - 1 ? name.slice(0, dot) : name
    },
  },
  /** Likewise: the address `query` places into a network, or False where there is none. */
  nthhost: {
    parameters: ['query'],
    call: (value, { query }) => {
      const network = typeof value === 'string' ? readNetwork(value) : undefined
      if (typeof query !== 'number' || !Number.isInteger(query))
        throw new TemplateTrouble('nthhost takes a whole number')
      if (!network || query < 0 || BigInt(query) >= sizeOf(network)) return false
      return addressText(network.base + BigInt(query), network.bits)
    },
  },
  cidr_host: {
    parameters: ['query'],
    call: (value, { query }) => {
      const network = mustBeNetwork(value, 'cidr_host')
      if (typeof query !== 'number' || !Number.isInteger(query))
        throw new TemplateTrouble('cidr_host takes a whole number')
      const size = sizeOf(network)
      const place = query < 0 ? size + BigInt(query) : BigInt(query)
      if (place < 0n || place >= size) throw new TemplateTrouble('cidr_host: the network has no such host')
      return addressText(network.base + place, network.bits)
    },
  },
  /** The network that an address with a prefix lies in, in its short form. */
  ip_network: {
    parameters: [],
    call: (value) => {
      const network = mustBeNetwork(value, 'ip_network')
      return `${addressText(network.base, network.bits)}/${network.prefix}`
    },
  },
  /** A part of an address with or without a prefix: address, network, netmask, prefix, size, version, broadcast. */
  ipaddr: {
    parameters: ['query'],
    call: (value, { query = 'address' }) => {
      const network = mustBeNetwork(value, 'ipaddr')
      const { base, bits, prefix } = network
      const last = base + sizeOf(network) - 1n
      switch (query) {
        case 'address':
          return addressText(network.address, bits)
        case 'network':
          return addressText(base, bits)
        case 'netmask':
          return addressText(((1n << BigInt(prefix)) - 1n) << BigInt(bits - prefix), bits)
        case 'prefix':
          return prefix
        case 'size':
          return Number(sizeOf(network))
        case 'version':
          return bits === 32 ? 4 : 6
        case 'broadcast':
          return addressText(last, bits)
      }
      throw new TemplateTrouble('ipaddr knows address, network, netmask, prefix, size, version and broadcast')
    },
  },
  /** Python's re.sub, with groups as \1 or \g<name>. */
  regex_replace: {
    parameters: ['pattern', 'replacement'],
    call: (value, { pattern, replacement }) => {
      const wanted = text(pattern, 'regex_replace')
      // What the two languages read differently is left out, not guessed.
      const odd = /\(\?(?!:|=|!|<=|<!)|\\[AZpPkx]|\[[^\]]*\[|\\[wdsb]/i.exec(wanted.replace(/\\\\/g, ''))
      if (odd && !/^\\[wdsWDS]$/.test(odd[0]))
        throw new TemplateTrouble(
          'regex_replace: this pattern is read differently by Python',
          '`engine: jinja2` in operations.yaml',
        )
      let expression: RegExp
      try {
        expression = new RegExp(wanted, 'gu')
      } catch {
        throw new TemplateTrouble('regex_replace: the pattern is no regular expression')
      }
      return text(value, 'regex_replace').replace(expression, (...match) => {
        const groups = match.slice(0, -2) as (string | undefined)[]
        return text(replacement ?? '', 'regex_replace').replace(
          /\\(?:g<(\d+)>|(\d))/g,
          (_, long?: string, short?: string) => groups[Number(long ?? short)] ?? '',
        )
      })
    },
  },
  sha256: { parameters: [], call: (value) => createHash('sha256').update(text(value, 'sha256')).digest('hex') },
  /** The patches below `patches/<dir>` beside talconfig, sorted, as makejinja's plugin of cluster-template lists them. */
  talos_patches: {
    parameters: [],
    call: (value, _args, { root }) => {
      const dir = text(value, 'talos_patches')
      if (!/^[\w.-]+$/.test(dir) || /^\.+$/.test(dir))
        throw new TemplateTrouble('talos_patches takes the name of a folder')
      const places = [
        'patches',
        'config/talos/patches',
        'templates/config/talos/patches',
        'talos/patches',
        'templates/patches',
      ]
      for (const place of places) {
        const found = patchesIn(join(root, place, dir))
        if (found.length > 0) return found.map((name) => `${place}/${dir}/${name}`)
      }
      return []
    },
  },
}

function patchesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml.j2') && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}

function parsed(read: () => unknown, helper: string, language: string): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof TemplateTrouble) throw error
    throw new TemplateTrouble(`${helper}: the value is no ${language}`)
  }
}

/** Python's json.dumps: `", "` and `": "`, everything beyond ASCII escaped. */
export function json(value: TemplateValue, keysOf: KeysOf, indent: TemplateValue, sorted: boolean): string {
  const step = typeof indent === 'number' ? ' '.repeat(indent) : undefined
  const write = (item: TemplateValue, depth: number): string => {
    if (typeof item === 'string') return ascii(JSON.stringify(item))
    if (typeof item === 'number' || typeof item === 'boolean' || item === null) return String(item)
    if (item === undefined) throw new TemplateTrouble('an undefined value is no JSON')
    const isList = Array.isArray(item)
    const parts = isList
      ? item.map((each) => write(each, depth + 1))
      : (sorted ? [...item.keys()].sort() : keysOf(item)).map(
          (key) => `${ascii(JSON.stringify(key))}: ${write(item.get(key), depth + 1)}`,
        )
    const [opening, closing] = isList ? ['[', ']'] : ['{', '}']
    if (parts.length === 0 || step === undefined) return opening + parts.join(', ') + closing
    const pad = `\n${step.repeat(depth + 1)}`
    return `${opening}${pad}${parts.join(`,${pad}`)}\n${step.repeat(depth)}${closing}`
  }
  return write(value, 0)
}

const ascii = (text: string): string =>
  text.replace(/[\u007f-\uffff]/g, (character) =>
    character === '\u007f' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Block style, without a newline at the end; render-with-jinja2.py writes the same. Strings that any YAML could misread are quoted. */
function yamlLines(value: TemplateValue, keysOf: KeysOf, indent: number): string[] {
  const pad = ' '.repeat(indent)
  if (Array.isArray(value) && value.length > 0)
    return value.flatMap((item) => {
      const [first = '', ...rest] = yamlLines(item, keysOf, indent)
      return [`- ${first}`, ...rest.map((line) => `  ${line}`)]
    })
  if (value instanceof Map && value.size > 0)
    return keysOf(value).flatMap((key) => {
      const item = value.get(key)
      const lines = yamlLines(item, keysOf, indent)
      const nested = (Array.isArray(item) && item.length > 0) || (item instanceof Map && item.size > 0)
      return nested
        ? [`${yamlText(key)}:`, ...lines.map((line) => pad + line)]
        : [`${yamlText(key)}: ${lines[0] ?? ''}`]
    })
  if (Array.isArray(value)) return ['[]']
  if (value instanceof Map) return ['{}']
  if (value === undefined) throw new TemplateTrouble('an undefined value is no YAML')
  return [
    typeof value === 'string'
      ? yamlText(value)
      : typeof value === 'number' && !Number.isInteger(value)
        ? pythonFloat(value)
        : String(value),
  ]
}

const yamlText = (text: string): string =>
  /^[A-Za-z_/][\w./@+:-]*( [\w./@+-]+)*$/.test(text) &&
  !/:( |$)/.test(text) &&
  !/^(true|false|yes|no|on|off|y|n|null)$/i.test(text)
    ? text
    : JSON.stringify(text)

type Network = { address: bigint; base: bigint; bits: number; prefix: number }

function mustBeNetwork(value: TemplateValue, helper: string): Network {
  const network = typeof value === 'string' ? readNetwork(value) : undefined
  if (!network) throw new TemplateTrouble(`${helper}: the value is no network`)
  return network
}

function readNetwork(value: string): Network | undefined {
  const [host = '', length, more] = value.split('/')
  const v4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && !/(^|\.)0\d/.test(host)
  if (more !== undefined || !(v4 || (host.includes(':') && !host.includes('%')))) return undefined
  if (!ipaddr.isValid(host)) return undefined
  const bytes = ipaddr.parse(host).toByteArray()
  const bits = bytes.length * 8
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined
  const prefix = length === undefined ? bits : Number(length)
  if (prefix > bits) return undefined
  const address = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const hostBits = BigInt(bits - prefix)
  return { address, base: (address >> hostBits) << hostBits, bits, prefix }
}

const sizeOf = ({ bits, prefix }: Network): bigint => 1n << BigInt(bits - prefix)

function addressText(address: bigint, bits: number): string {
  const bytes = Array.from({ length: bits / 8 }, (_, index) =>
    Number((address >> BigInt(bits - 8 - index * 8)) & 0xffn),
  )
  return bits === 32 ? bytes.join('.') : new ipaddr.IPv6(bytes).toRFC5952String()
}
