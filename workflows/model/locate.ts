import type { Problem } from './problem.ts'
import type { Located } from './topology.ts'
import type { YamlPath, YamlSource } from './yaml-source.ts'

/** A place in a file, from which one goes down by keys; what is not there or of another type is found as nothing. */
export type Place = {
  readonly value: unknown
  get(...keys: (string | number)[]): Place
  /** the entries of a list */
  items(): Place[]
  /** with a host name, an address or the like in it */
  text(): Located | undefined
  /** texts of a list */
  texts(): Located[]
  /** with anything in it but null */
  any(): Located<unknown> | undefined
  /** a problem with the key that leads here */
  key(message: string, hint?: string): Problem
  /** the entries of a map */
  entries(): [key: string, value: Place][]
}

/** Walks a file as it is written, wherever its shape allows. */
export function locate(source: YamlSource, path: YamlPath = []): Place {
  let value: unknown = source.value
  for (const key of path) value = (value as Record<string | number, unknown> | null | undefined)?.[key]
  const at = (message: string, hint?: string) => source.problem(path, message, hint)
  const { file, line } = at('')
  const place: Place = {
    value,
    get: (...keys) => locate(source, [...path, ...keys]),
    items: () => (Array.isArray(value) ? value.map((_, index) => locate(source, [...path, index])) : []),
    text: () => (typeof value === 'string' && value !== '' ? { value, file, line, at } : undefined),
    texts: () => place.items().flatMap((item) => item.text() ?? []),
    any: () => (value === undefined || value === null ? undefined : { value, file, line, at }),
    key: (message, hint) => source.keyProblem(path, message, hint),
    entries: () =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.keys(value).map((key) => [key, locate(source, [...path, key])])
        : [],
  }
  return place
}
