import { readdirSync, readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cluster } from '../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../workflows/model/failure.ts'
import { nearest } from '../workflows/model/nearest.ts'
import { parseTalenv } from '../workflows/model/parse-talenv.ts'
import type { Problem } from '../workflows/model/problem.ts'
import type { SourceText } from '../workflows/model/yaml-source.ts'

/** A declaration that was read, and the folder that it and everything generated from it live in. */
export type LoadedCluster = { cluster: Cluster; folder: string }

const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Reads `<dir>/clusters/cluster-<id>`; `id` may be `101` or `cluster-101`. `dir` defaults to this package's root, not to
 * the current folder, so that cron and CI need no cd. Fails with `cluster-unknown`, or with one `declaration-invalid` for
 * every mistake, whose detail starts with file:line:col.
 */
export function loadCluster(dir: string | undefined, id: string): Result<LoadedCluster, Failure[]> {
  const name = id.startsWith('cluster-') ? id : `cluster-${id}`
  const clusters = join(dir ?? packageRoot, 'clusters')
  const folder = join(clusters, name)
  const talenv = /^cluster-[\w.-]+$/.test(name) ? readSource(join(folder, 'talenv.yaml')) : undefined
  if (talenv === undefined) return { ok: false, failure: [unknownCluster(clusters, name)] }

  const operations = readSource(join(folder, 'operations.yaml'))
  const parsed = parseTalenv({ talenv, ...(operations && { operations }) })
  if (parsed.ok) return { ok: true, value: { cluster: parsed.value.cluster, folder } }
  return {
    ok: false,
    failure: parsed.problems.map(invalid),
  }
}

/** A mistake in a file as the failure of a command. */
export const invalid = ({ file, line, col, message, hint }: Problem): Failure =>
  failure('declaration-invalid', { detail: `${file}:${line}:${col}: ${message}`, ...(hint && { hint }) })

/** A file under the name that people know it by; undefined when it is not there. */
export function readSource(path: string): SourceText | undefined {
  try {
    return { path: forPeople(path), text: readFileSync(path, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Below the current folder a path is shown from there, as compilers do; elsewhere from the root. */
function forPeople(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') || isAbsolute(near) ? path : near
}

function unknownCluster(clusters: string, name: string): Failure {
  const known = declaredIn(clusters)
  const folder = forPeople(clusters) || clusters
  // by what follows the prefix that all names share: cluster-999 is no slip of the finger for cluster-101
  const idOf = (cluster: string) => cluster.replace('cluster-', '')
  const meant = nearest(idOf(name), known.map(idOf))
  return failure('cluster-unknown', {
    detail:
      known.length === 0
        ? `${folder} declares no cluster, so not ${name}`
        : `${folder} does not declare ${name}; it declares ${known.join(', ')}`,
    ...(meant !== undefined && { hint: `--cluster ${meant}` }),
  })
}

function declaredIn(clusters: string): string[] {
  try {
    return readdirSync(clusters)
      .filter((name) => readSource(join(clusters, name, 'talenv.yaml')) !== undefined)
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  } catch {
    return []
  }
}
