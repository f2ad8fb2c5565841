import type { Problem } from '../problem.ts'
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
  return new Found(source, path, path.reduce(below, source.value))
}

const below = (value: unknown, key: string | number): unknown =>
  (value as Record<string | number, unknown> | null | undefined)?.[key]

/** A class, because there are thousands of places in a file, and to make closures for each would cost more than all else. */
class Found implements Place {
  readonly value: unknown
  readonly #source: YamlSource
  readonly #path: YamlPath

  constructor(source: YamlSource, path: YamlPath, value: unknown) {
    this.value = value
    this.#source = source
    this.#path = path
  }

  get(...keys: (string | number)[]): Place {
    return new Found(this.#source, [...this.#path, ...keys], keys.reduce(below, this.value))
  }

  items(): Place[] {
    if (!Array.isArray(this.value)) return []
    return this.value.map((item, index) => new Found(this.#source, [...this.#path, index], item))
  }

  text(): Located | undefined {
    return typeof this.value === 'string' && this.value !== '' ? this.#located(this.value) : undefined
  }

  texts(): Located[] {
    return this.items().flatMap((item) => item.text() ?? [])
  }

  any(): Located<unknown> | undefined {
    return this.value === undefined || this.value === null ? undefined : this.#located(this.value)
  }

  key(message: string, hint?: string): Problem {
    return this.#source.keyProblem(this.#path, message, hint)
  }

  entries(): [key: string, value: Place][] {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) return []
    return Object.entries(this.value).map(([key, item]) => [key, new Found(this.#source, [...this.#path, key], item)])
  }

  #located<T>(value: T): Located<T> {
    const at = (message: string, hint?: string) => this.#source.problem(this.#path, message, hint)
    return {
      value,
      // to find a line takes a while, and only what is complained about needs one
      get file() {
        return at('').file
      },
      get line() {
        return at('').line
      },
      at,
    }
  }
}
