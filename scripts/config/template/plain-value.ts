import type { KeysOf } from './python-text.ts'
import type { TemplateValue } from './template-value.ts'

/** A value of the context or of a parsed text as templates have it: maps with their keys in order. */
export function fromPlain(value: unknown): TemplateValue {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.map(fromPlain)
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object') return new Map(Object.entries(value).map(([key, item]) => [key, fromPlain(item)]))
  if (typeof value === 'bigint') return Number(value)
  return value as boolean | number | string
}

/** The other way; `keysOf` gives the order of keys. Without it they stay as they come, which is enough for minijinja. */
export function toPlain(value: TemplateValue, keysOf: KeysOf = (map) => [...map.keys()]): unknown {
  if (Array.isArray(value)) return value.map((item) => toPlain(item, keysOf))
  if (!(value instanceof Map)) return value
  return Object.fromEntries(keysOf(value).map((key) => [key, toPlain(value.get(key), keysOf)]))
}
