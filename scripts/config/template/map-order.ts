/**
 * The order in which the keys of maps were written. minijinja's maps are sorted by key, and Jinja2's are not: whoever
 * goes through one asks here. A map is known again by what is in it, since nothing else of it comes back.
 */
import { TemplateTrouble, type TemplateValue } from './template-value.ts'

export class MapOrder {
  readonly #known = new Map<string, string[] | 'ambiguous'>()

  /** Remembers the order of every map in `value`. */
  learn(value: TemplateValue): void {
    canonical(value, (map, content) => {
      if (map.size < 2) return
      const keys = [...map.keys()]
      const before = this.#known.get(content)
      const same = before === undefined || (Array.isArray(before) && before.every((key, index) => key === keys[index]))
      this.#known.set(content, same ? keys : 'ambiguous')
    })
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

type Meet = (map: Map<string, TemplateValue>, content: string) => void

/** What is in a value, whatever the order of its keys; tells each map in it on the way, from the inside out. */
function canonical(value: TemplateValue, meet?: Meet): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item, meet)).join()}]`
  if (!(value instanceof Map)) return JSON.stringify(value) ?? 'undefined'
  const entries = [...value].map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, meet)}`)
  const content = `{${entries.sort().join()}}`
  meet?.(value, content)
  return content
}
