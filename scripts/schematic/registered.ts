import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { Result } from '../../workflows/model/failure.ts'
import { onDisk } from '../disk/on-disk.ts'
import { replaceFile } from '../disk/replace-file.ts'

/** Which schematics a factory is known to have: a file in `.run`, which can be lost without harm. */
export type RegisteredAt = {
  /** URL of the factory: another one knows other schematics */
  factory: string
  cacheFile: string
}

const shape = v.record(v.string(), v.array(v.string()))

/** Those of the ids that were never registered from here: pulling their installer fails if nobody else did it either. */
export function unregistered(ids: readonly string[], { factory, cacheFile }: RegisteredAt): string[] {
  const known = new Set(read(cacheFile)[factory] ?? [])
  return [...new Set(ids)].filter((id) => !known.has(id))
}

/** Remembers that the factory has them. */
export function rememberRegistered(ids: readonly string[], { factory, cacheFile }: RegisteredAt): Result<void> {
  const known = read(cacheFile)
  const all = [...new Set([...(known[factory] ?? []), ...ids])].sort()
  return onDisk(
    () => replaceFile(cacheFile, `${JSON.stringify({ ...known, [factory]: all }, undefined, 2)}\n`, 0o600),
    'output-unfinished',
  )
}

function read(cacheFile: string): v.InferOutput<typeof shape> {
  try {
    return v.parse(shape, JSON.parse(readFileSync(cacheFile, 'utf8')))
  } catch {
    return {}
  }
}
