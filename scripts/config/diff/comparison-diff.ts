import type { Comparison } from '../placing/compare-placed.ts'
import type { GeneratedFiles } from '../placing/places.ts'
import { configDiff, type DocumentDiff } from './config-diff.ts'

/** How one generated file changes; `documents` is empty where only the client certificate or the mode is another. */
export type FileDiff = { name: string; change: 'create' | 'replace' | 'protect' | 'prune'; documents: DocumentDiff[] }

/**
 * What a comparison means, file by file, without anything secret. Of files that come or go only the documents are named:
 * there is nothing to compare them with.
 */
export function comparisonDiff(
  comparison: Comparison,
  generated: GeneratedFiles,
  secrets: Iterable<string>,
): FileDiff[] {
  const known = [...secrets]
  const text = (content: Uint8Array | undefined) => content && Buffer.from(content).toString()
  return comparison.flatMap(({ name, change, before }) => {
    if (change === 'unchanged') return []
    const after = change === 'prune' ? undefined : text(generated.get(name))
    const documents = configDiff(text(before), after, { secrets: known })
    const both = change === 'replace'
    return [{ name, change, documents: documents.map((one) => (both ? one : { ...one, patch: '' })) }]
  })
}
