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
  for (const key of path) value = below(value, key)
  return placeOf(source, path, value)
}

const below = (value: unknown, key: string | number): unknown =>
  (value as Record<string | number, unknown> | null | undefined)?.[key]

function placeOf(source: YamlSource, path: YamlPath, value: unknown): Place {
  const at = (message: string, hint?: string) => source.problem(path, message, hint)
  // to find a line costs more than all else here, and only what is complained about needs one
  const located = <T>(found: T): Located<T> => ({
    value: found,
    get file() {
      return at('').file
    },
    get line() {
      return at('').line
    },
    at,
  })
  const place: Place = {
    value,
    get: (...keys) => placeOf(source, [...path, ...keys], keys.reduce(below, value)),
    items: () => (Array.isArray(value) ? value.map((item, index) => placeOf(source, [...path, index], item)) : []),
    text: () => (typeof value === 'string' && value !== '' ? located(value) : undefined),
    texts: () => place.items().flatMap((item) => item.text() ?? []),
    any: () => (value === undefined || value === null ? undefined : located(value)),
    key: (message, hint) => source.keyProblem(path, message, hint),
    entries: () =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).map(([key, item]) => [key, placeOf(source, [...path, key], item)])
        : [],
  }
  return place
}
