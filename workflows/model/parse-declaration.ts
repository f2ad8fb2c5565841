import { array, boolean, check, minLength, number, optional, pipe, regex, string, transform, union } from 'valibot'
import { checkShape } from './check-shape.ts'
import type { Cluster } from './cluster.ts'
import { parseAddress } from './parse-address.ts'
import { parseOperations } from './parse-operations.ts'
import { parseVersion } from './parse-version.ts'
import type { Problem } from './problem.ts'
import { yamlMap } from './yaml-map.ts'
import { readYaml, type SourceText, type YamlSource } from './yaml-source.ts'

const version = pipe(
  string(),
  check((text) => parseVersion(text) !== undefined, 'is not a version such as v1.13.9'),
  transform((text) => parseVersion(text) ?? text),
)

const address = pipe(
  string(),
  check((text) => parseAddress(text) !== undefined, 'is not an IP address'),
  transform((text) => parseAddress(text) ?? text),
)

const endpoint = pipe(
  string(),
  check((text) => hostOf(text) !== undefined, 'is not an address such as https://10.0.0.10:6443'),
)

/** What Kubernetes accepts as the name of a node: RFC 1123, lower case. */
const hostname = pipe(
  string(),
  regex(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'is not a host name',
  ),
)

const cluster = {
  name: string(),
  id: pipe(union([string(), number()]), transform(String)),
  endpoint,
  vip: optional(address),
  talosVersion: version,
  kubernetesVersion: version,
}

const node = {
  hostname,
  ipAddress: address,
  controlPlane: optional(boolean(), false),
  schematic: optional(
    pipe(string(), regex(/^[0-9a-f]{64}$/, 'is not a schematic id, which is 64 hexadecimal digits in lower case')),
  ),
  extensions: optional(array(string())),
}

const talenv = { cluster: yamlMap(cluster), nodes: pipe(array(yamlMap(node)), minLength(1, 'names no node')) }

/**
 * A cluster from the text of its talenv.yaml (structured form, as Terraform's output `talenv_yaml` writes it) and of its
 * operations.yaml, or every mistake in both at once. The folder that holds talenv.yaml must be called like the cluster:
 * talhelper names what it generates after `name`, and Terraform what it writes after `id`.
 */
export function parseDeclaration(files: {
  talenv: SourceText
  operations?: SourceText
}): { ok: true; cluster: Cluster } | { ok: false; problems: Problem[] } {
  const source = readYaml(files.talenv)
  const operations = parseOperations(files.operations)
  if (source.value === undefined) return { ok: false, problems: [...source.problems, ...operations.problems] }

  const nodes = asNodes(source.value)
  const tolerated = (at: readonly (string | number)[], keys: object) =>
    ({ at, keys: Object.keys(keys), others: 'tolerated' }) as const
  const shape = checkShape(source, yamlMap(talenv), [
    tolerated([], talenv),
    tolerated(['cluster'], cluster),
    ...nodes.map((_, index) => tolerated(['nodes', index], node)),
  ])
  const problems = [
    ...source.problems,
    ...shape.problems,
    ...folderProblems(source, files.talenv.path),
    ...twins(source, nodes, 'hostname', 'host name', (text) => text),
    ...twins(source, nodes, 'ipAddress', 'address', parseAddress),
    ...vipProblems(source, nodes),
    ...controlPlaneProblems(source, nodes),
  ].sort((a, b) => a.line - b.line || a.col - b.col)

  const all = [...problems, ...operations.problems]
  const declared = shape.value
  if (declared === undefined || operations.value === undefined || all.length > 0) return { ok: false, problems: all }
  const { name, id, talosVersion, kubernetesVersion, vip } = declared.cluster
  return {
    ok: true,
    cluster: {
      id,
      name,
      talosVersion,
      kubernetesVersion,
      endpointHost: hostOf(declared.cluster.endpoint) ?? '',
      ...(vip !== undefined && { vip }),
      nodes: declared.nodes.map(({ hostname, ipAddress, controlPlane, schematic, extensions }) => ({
        name: hostname,
        address: ipAddress,
        role: controlPlane ? 'controlplane' : 'worker',
        ...(schematic !== undefined && { schematic }),
        ...(extensions !== undefined && { extensions }),
      })),
      operations: operations.value,
    },
  }
}

/** The rules among values look at the file as it is, so that a mistake of shape elsewhere does not hide theirs. */
type Loose = Record<string, unknown>

const asMap = (value: unknown): Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : {}

const asNodes = (value: unknown): Loose[] => {
  const { nodes } = asMap(value)
  return Array.isArray(nodes) ? nodes.map(asMap) : []
}

function hostOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' ? hostname.replace(/^\[|\]$/g, '') : undefined
}

function folderProblems(source: YamlSource, path: string): Problem[] {
  const folder = path.split(/[\\/]/).at(-2)
  const { name, id } = asMap(asMap(source.value).cluster)
  if (folder === undefined) return []
  const problems: Problem[] = []
  if (typeof name === 'string' && name !== folder)
    problems.push(
      source.problem(
        ['cluster', 'name'],
        `cluster.name is "${name}", but the folder is called ${folder}`,
        'both must be the same',
      ),
    )
  const idText = typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
  if (idText !== undefined && `cluster-${idText}` !== folder)
    problems.push(
      source.problem(
        ['cluster', 'id'],
        `cluster.id is ${idText}, but the folder is called ${folder}`,
        `expected cluster-${idText}`,
      ),
    )
  return problems
}

function twins(
  source: YamlSource,
  nodes: Loose[],
  key: 'hostname' | 'ipAddress',
  what: string,
  normal: (text: string) => string | undefined,
): Problem[] {
  const firstWith = new Map<string, number>()
  return nodes.flatMap((node, index) => {
    const raw = node[key]
    const value = typeof raw === 'string' ? normal(raw) : undefined
    if (value === undefined) return []
    const first = firstWith.get(value)
    if (first === undefined) {
      firstWith.set(value, index)
      return []
    }
    const { line } = source.problem(['nodes', first, key], '')
    return [
      source.problem(['nodes', index, key], `two nodes have the ${what} ${value}`, `the other one is on line ${line}`),
    ]
  })
}

function vipProblems(source: YamlSource, nodes: Loose[]): Problem[] {
  const { vip } = asMap(asMap(source.value).cluster)
  const virtual = typeof vip === 'string' ? parseAddress(vip) : undefined
  if (virtual === undefined) return []
  return nodes.flatMap(({ ipAddress }, index) =>
    typeof ipAddress === 'string' && parseAddress(ipAddress) === virtual
      ? [
          source.problem(
            ['nodes', index, 'ipAddress'],
            `${virtual} is the virtual IP of the cluster`,
            "a node's own address never moves to another node",
          ),
        ]
      : [],
  )
}

function controlPlaneProblems(source: YamlSource, nodes: Loose[]): Problem[] {
  const none =
    nodes.length > 0 && nodes.every(({ controlPlane }) => controlPlane === undefined || controlPlane === false)
  return none
    ? [source.keyProblem(['nodes'], 'no node is a control plane', 'give at least one node controlPlane: true')]
    : []
}
