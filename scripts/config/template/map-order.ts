/**
 * The order in which the keys of maps were written. minijinja's maps are sorted by key, and Jinja2's are not: whoever
 * goes through one asks here. A map is known again by what is in it, since nothing else of it comes back.
 */
import { TemplateTrouble, type TemplateValue } from './template-value.ts'

export class MapOrder {
  readonly #known = new Map<string, string[] | 'ambiguous'>()

  /** Remembers the order of every map in `value`. */
  learn(value: TemplateValue): void {
    if (Array.isArray(value)) for (const item of value) this.learn(item)
    if (!(value instanceof Map)) return
    for (const item of value.values()) this.learn(item)
    if (value.size < 2) return
    const content = canonical(value)
    const keys = [...value.keys()]
    const before = this.#known.get(content)
    const same = before === undefined || (Array.isArray(before) && before.every((key, index) => key === keys[index]))
    this.#known.set(content, same ? keys : 'ambiguous')
  }

  /** The keys as they were written; throws a TemplateTrouble where that can not be told. */
  readonly keysOf = (map: Map<string, TemplateValue>): string[] => {
    if (map.size < 2) return [...map.keys()]
    const keys = this.#known.get(canonical(map))
    if (Array.isArray(keys)) return keys
    throw new TemplateTrouble(
      keys === 'ambiguous'
        ? 'two maps are alike but for the order of their keys, and minijinja can not tell them apart'
        : 'the order of this map is not known',
      'sort it by | dictsort, or `engine: jinja2` in operations.yaml',
    )
  }
}

function canonical(value: TemplateValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!(value instanceof Map)) return JSON.stringify(value) ?? 'undefined'
  const entries = [...value].map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`)
  return `{${entries.sort().join()}}`
}
