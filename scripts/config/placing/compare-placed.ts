import { lstatSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { onDisk } from '../../disk/on-disk.ts'
import { fingerprint } from './fingerprint.ts'
import { placedBefore } from './placed-before.ts'
import type { GeneratedFiles, Places } from './places.ts'

export type FileChange = {
  name: string
  /** `protect`: the content is right, and others may read it; `prune`: an earlier generation made it, this one does not */
  change: 'create' | 'replace' | 'protect' | 'unchanged' | 'prune'
  /** what is there now; absent where nothing is */
  before?: Uint8Array
  /** what somebody did to it since it was generated; `foreign` was never generated */
  edited?: 'edited' | 'foreign'
}

/** What placing would do: one entry a file, by name. */
export type Comparison = readonly FileChange[]

/** Whether anything would change. */
export const wouldChange = (comparison: Comparison): boolean => comparison.some(({ change }) => change !== 'unchanged')

/**
 * Holds what was generated against what is there. Only names that a generation made are ever pruned; nothing else in the
 * folder counts. Fails with `output-obstructed` for links and folders under these names, and with `output-unwritable`.
 */
export function comparePlaced(places: Places, generated: GeneratedFiles): Result<Comparison, Failure[]> {
  const placed = placedBefore(places)
  if (!placed.ok) return { ok: false, failure: [placed.failure] }
  const before = placed.value?.files ?? {}
  const obstructions: Failure[] = []
  const changes: FileChange[] = []
  for (const name of [...new Set([...generated.keys(), ...Object.keys(before)])].sort()) {
    const found = onDisk(() => look(places.outDir, name), 'output-unwritable')
    if (!found.ok) return { ok: false, failure: [found.failure] }
    if (found.value.is === 'other') {
      obstructions.push(
        failure('output-obstructed', {
          detail: `${join(places.outDir, name)} is no ordinary file in an ordinary folder, and ${generated.has(name) ? 'would be replaced' : 'would be removed'}`,
          hint: `mv ${shellWord(join(places.outDir, name))} ${shellWord(join(places.outDir, `${name}.old`))}`,
        }),
      )
      continue
    }
    const content = found.value.is === 'file' ? found.value.content : undefined
    const change = changeOf(generated.get(name), found.value)
    // an earlier generation's, and gone already
    if (change === undefined) continue
    const touched = change === 'replace' || change === 'prune' ? editOf(name, content, before[name]) : undefined
    changes.push({ name, change, ...(content && { before: content }), ...(touched && { edited: touched }) })
  }
  return obstructions.length > 0 ? { ok: false, failure: obstructions } : { ok: true, value: changes }
}

type Found = { is: 'nothing' } | { is: 'other' } | { is: 'file'; content: Uint8Array; open: boolean }

function look(outDir: string, name: string): Found {
  const path = join(outDir, name)
  for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) {
    const stat = lstatSync(join(outDir, folder), { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isDirectory()) return { is: 'other' }
  }
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { is: 'nothing' }
  if (!stat.isFile()) return { is: 'other' }
  return { is: 'file', content: readFileSync(path), open: (stat.mode & 0o077) !== 0 }
}

function changeOf(wanted: Uint8Array | undefined, found: Found): FileChange['change'] | undefined {
  if (found.is !== 'file') return wanted === undefined ? undefined : 'create'
  if (wanted === undefined) return 'prune'
  if (Buffer.compare(wanted, found.content) !== 0) return 'replace'
  return found.open ? 'protect' : 'unchanged'
}

function editOf(name: string, content: Uint8Array | undefined, before: string | undefined): FileChange['edited'] {
  if (content === undefined) return undefined
  if (before === undefined) return 'foreign'
  return fingerprint(name, content) === before ? undefined : 'edited'
}
