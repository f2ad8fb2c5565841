import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { onDisk } from '../../disk/on-disk.ts'
import { type Places, placingFiles } from './places.ts'

/** Names come back from disk and go into paths: below the folder, and nowhere else. */
export const plainName = v.pipe(v.string(), v.regex(/^(?:(?!\.{1,2}\/)[^/\\\0]+\/)*(?!\.{1,2}$)[^/\\\0]+$/))

/** What a generation is remembered by. */
export const remembered = v.object({
  v: v.literal(1),
  /** fingerprint of each file, by name (see `fingerprint`) */
  files: v.record(plainName, v.string()),
  /** of the CA that signs the nodes' certificates: another one would be another cluster */
  caFingerprint: v.string(),
  /** form that the configurations were generated in; earlier versions did not say, and took that of the release */
  contract: v.optional(v.string()),
})

export type PlacedBefore = v.InferOutput<typeof remembered>

/** What the last generation put in place; undefined before the first one. */
export function placedBefore(places: Places): Result<PlacedBefore | undefined> {
  return readState(placingFiles(places).placed, remembered)
}

/** A file of ours in `.run`; undefined when it is not there. */
export function readState<S extends v.GenericSchema>(path: string, schema: S): Result<v.InferOutput<S> | undefined> {
  const text = onDisk(() => textOf(path), 'output-unwritable')
  if (!text.ok || text.value === undefined) return text as Result<undefined>
  try {
    return { ok: true, value: v.parse(schema, JSON.parse(text.value)) }
  } catch {
    return {
      ok: false,
      failure: failure('output-unwritable', {
        detail: `${path} is damaged, and says which files were generated before`,
        hint: `rm ${shellWord(path)} # the next generation treats all of them as made by hand`,
      }),
    }
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
