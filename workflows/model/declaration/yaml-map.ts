import { _addIssue, type ObjectEntries, object } from 'valibot'

/** A map with these keys. valibot's own `object` takes a list as well, and with only optional keys finds nothing wrong. */
export const yamlMap = <const Entries extends ObjectEntries>(entries: Entries) => {
  const map = object(entries)
  const run: (typeof map)['~run'] = (dataset, config) => {
    if (!Array.isArray(dataset.value)) return map['~run'](dataset, config)
    _addIssue(map, 'type', dataset, config)
    return dataset as never
  }
  return { ...map, '~run': run }
}
