import { stringify } from 'yaml'
import type { Place } from '../../model/declaration/locate.ts'
import type { Problem } from '../../model/problem.ts'
import type { Subject } from './subject.ts'

/** From Talos 1.12 on a machine configuration has several documents, and JSON patches (RFC 6902) are for one. */
export const jsonPatches = ({ patches }: Subject): Problem[] =>
  patches
    .flatMap(({ documents }) => documents)
    .filter(({ value }) => Array.isArray(value) && value.some((one) => typeof one === 'object' && one && 'op' in one))
    .map((document) =>
      document.key('JSON patches can not be applied to the configuration of Talos 1.12 and later', merge(document)),
    )

/** The same as a strategic merge patch, as far as it can be said in one. */
function merge(document: Place): string {
  const merged: Record<string, unknown> = {}
  for (const operation of document.value as ({ op?: unknown; path?: unknown; value?: unknown } | null)[]) {
    const { op, path, value } = operation ?? {}
    const keys = String(path)
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    // list entries have no name that a merge could find them by
    if (keys.length === 0 || keys.some((key) => /^(\d+|-)$/.test(key))) return 'write it as a strategic merge patch'
    let map = merged
    for (const key of keys.slice(0, -1)) {
      map[key] ??= {}
      map = map[key] as Record<string, unknown>
    }
    if (op === 'remove') map[keys.at(-1) ?? ''] = { $$patch: 'delete' }
    else if (op === 'add' || op === 'replace') map[keys.at(-1) ?? ''] = value
    else return 'write it as a strategic merge patch'
  }
  return stringify(merged, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()
}
