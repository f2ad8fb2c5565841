import { custom, type ObjectEntries, object, pipe } from 'valibot'

/** A map with these keys. valibot's own `object` takes a list as well, and with only optional keys finds nothing wrong. */
export const yamlMap = <const Entries extends ObjectEntries>(entries: Entries) =>
  pipe(
    custom<Record<string, unknown>>(
      (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
      'is not a map',
    ),
    object(entries),
  )
