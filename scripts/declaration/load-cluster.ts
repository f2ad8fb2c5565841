import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import type { Cluster } from '../../workflows/model/cluster.ts'
import { parseNodesAndCluster } from '../../workflows/model/declaration/parse-nodes-and-cluster.ts'
import { parseTalconfig } from '../../workflows/model/declaration/parse-talconfig.ts'
import { type Parsed, parseTalenv } from '../../workflows/model/declaration/parse-talenv.ts'
import type { Talenv } from '../../workflows/model/declaration/talenv.ts'
import type { Purpose } from '../../workflows/model/declaration/topology-problems.ts'
import type { SourceText } from '../../workflows/model/declaration/yaml-source.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { nearest } from '../../workflows/model/nearest.ts'
import type { Problem } from '../../workflows/model/problem.ts'
import { namesIn } from '../disk/names-in.ts'
import { onDisk } from '../disk/on-disk.ts'
import { readText } from '../disk/read-text.ts'
import { clusterFolder, findLayout, type Layout, packageRoot } from './layout.ts'

/** A declaration that was read, and where it and everything generated from it live. */
export type LoadedCluster = {
  cluster: Cluster
  layout: Layout
  /** what templates and talhelper are given besides */
  declared: Declared
  /** worth saying, and no reason to stop */
  warnings: Problem[]
}

export type Declared =
  | { kind: 'talenv'; talenv: Talenv }
  | { kind: 'nodes'; values: Record<string, unknown>; variables: Readonly<Record<string, string>> }
  | { kind: 'talconfig'; variables: Readonly<Record<string, string>> }

/**
 * Reads the cluster `id`, which may be `101` or `cluster-101`, below `dir`: `clusters/cluster-<id>/talenv.yaml`, else the
 * one that nodes.yaml and cluster.yaml or a talconfig.yaml declare there. `dir` defaults to this package's root, not to
 * the current folder, so that cron and CI need no cd. Fails with `cluster-unknown`, or with one `declaration-invalid` for
 * every mistake, whose detail starts with file:line:col.
 */
export function loadCluster(dir: string | undefined, id: string, purpose?: Purpose): Result<LoadedCluster, Failure[]> {
  const name = clusterFolder(id)
  const root = resolve(dir ?? packageRoot)
  const layout = findLayout(root, name)
  if (layout === undefined) return { ok: false, failure: [unknownCluster(join(dir ?? packageRoot, 'clusters'), name)] }
  const read = onDisk(() => parse(layout, purpose), 'declaration-invalid')
  if (!read.ok) return { ok: false, failure: [read.failure] }
  const parsed = read.value
  if (!parsed.ok) return { ok: false, failure: parsed.problems.map(invalid) }
  const { cluster, declared } = parsed.value
  if (![id, name].includes(cluster.name)) {
    const detail = `${forPeople(layout.folder) || '.'} declares ${cluster.name}, not ${id}`
    return { ok: false, failure: [failure('cluster-unknown', { detail, hint: `--cluster ${cluster.name}` })] }
  }
  return { ok: true, value: { cluster, layout, declared, warnings: parsed.warnings } }
}

function parse(
  { kind, folder, root, talconfig }: Layout,
  purpose: Purpose | undefined,
): Parsed<{ cluster: Cluster; declared: Declared }> {
  const source = (name: string) => readSource(join(folder, name))
  const operations = source('operations.yaml')
  const policy = { operations, purpose }
  const missing = { path: join(folder, 'talenv.yaml'), text: '' }
  if (kind === 'talenv') {
    const parsed = parseTalenv({ talenv: source('talenv.yaml') ?? missing, ...policy })
    if (!parsed.ok) return parsed
    const { cluster, talenv } = parsed.value
    return { ...parsed, value: { cluster, declared: { kind, talenv } } }
  }
  if (kind === 'nodes') return parseNodes(root, folder, policy)
  const pins = source('talenv.yaml')
  const parsed = parseTalconfig({ talconfig: source(talconfig) ?? missing, pins, ...policy })
  if (!parsed.ok) return parsed
  const { cluster, variables } = parsed.value
  return { ...parsed, value: { cluster, declared: { kind: 'talconfig', variables } } }
}

function parseNodes(
  root: string,
  folder: string,
  policy: { operations: SourceText | undefined; purpose: Purpose | undefined },
): Parsed<{ cluster: Cluster; declared: Declared }> {
  const source = (path: string): SourceText => readSource(path) ?? { path: forPeople(path), text: '' }
  const template = source(join(root, 'templates', 'config', 'talos', 'talconfig.yaml.j2')).text
  const parsed = parseNodesAndCluster({
    nodes: source(join(root, 'nodes.yaml')),
    clusterYaml: source(join(root, 'cluster.yaml')),
    pins: source(join(folder, 'talenv.yaml')),
    ...policy,
    // cluster-template writes the name out in its template
    name: /^clusterName: *["']?([\w.-]+)["']?\s*$/m.exec(template)?.[1] ?? 'kubernetes',
  })
  if (!parsed.ok) return parsed
  const { cluster, values, variables } = parsed.value
  return { ...parsed, value: { cluster, declared: { kind: 'nodes', values, variables } } }
}

/** A mistake in a file as the failure of a command. */
export const invalid = ({ file, line, col, message, hint }: Problem): Failure =>
  failure('declaration-invalid', { detail: `${file}:${line}:${col}: ${message}`, hint })

/** Nothing is there, nor could be. */
const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

/** A file under the name that people know it by; undefined when it is not there. */
export function readSource(path: string): SourceText | undefined {
  try {
    return { path: forPeople(path), text: readText(path) }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Below the current folder a path is shown from there, as compilers do; elsewhere from the root. */
export function forPeople(path: string): string {
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
  return namesIn(clusters)
    .filter((name) => existsSync(join(clusters, name, 'talenv.yaml')))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}
