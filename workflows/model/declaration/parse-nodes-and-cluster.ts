import type { InferOutput } from 'valibot'
import type { Cluster } from '../cluster.ts'
import { nthHost } from '../nth-host.ts'
import { parseVersion } from '../parse-version.ts'
import { type Problem, unlessSaid } from '../problem.ts'
import { checkShape } from './check-shape.ts'
import { locate, type Place } from './locate.ts'
import { clusterYamlKeys, clusterYamlSchema, flatNodeKeys, flatNodesSchema } from './nodes-and-cluster.ts'
import { parseOperations } from './parse-operations.ts'
import { type Pins, parsePins } from './parse-pins.ts'
import type { Parsed } from './parse-talenv.ts'
import type { Located, Topology, TopologyNode } from './topology.ts'
import { type Purpose, topologyProblems } from './topology-problems.ts'
import { readYaml, type SourceText, type YamlSource } from './yaml-source.ts'

/** A cluster, and what templates and talhelper are given besides. */
export type DeclaredNodes = {
  cluster: Cluster
  /** cluster.yaml with the defaults of cluster-template, its keys at the top level, and `nodes` */
  values: Record<string, unknown>
  /** of the flat talenv.yaml: for talhelper's env file */
  variables: Record<string, string>
}

/**
 * A cluster as cluster-template declares it: nodes.yaml, cluster.yaml and the versions in a flat talenv.yaml; or every
 * mistake in all of them at once. It is called `cluster_name`, else `name`.
 */
export function parseNodesAndCluster(files: {
  nodes: SourceText
  clusterYaml: SourceText
  pins: SourceText
  operations?: SourceText | undefined
  name: string
  purpose?: Purpose | undefined
}): Parsed<DeclaredNodes> {
  const nodesFile = readYaml(files.nodes)
  const clusterFile = readYaml(files.clusterYaml)
  const pins = parsePins(files.pins)
  const operations = parseOperations(files.operations)

  const nodes = checkShape(nodesFile, flatNodesSchema, [
    { at: [], keys: ['nodes'], others: 'tolerated' },
    ...locate(nodesFile)
      .get('nodes')
      .items()
      .map((_, index) => ({ at: ['nodes', index], keys: Object.keys(flatNodeKeys), others: 'tolerated' }) as const),
  ])
  const settings = checkShape(clusterFile, clusterYamlSchema, [
    { at: [], keys: [...Object.keys(clusterYamlKeys), TOKEN], others: 'tolerated' },
  ])
  const found = [
    ...ofFile(nodesFile, nodes.problems),
    ...ofFile(clusterFile, settings.problems),
    ...pins.problems,
    ...missingPins(pins.value, files.pins.path),
    ...topologyProblems(topologyOf(nodesFile, clusterFile, pins.value), files.purpose),
    ...bgpProblems(clusterFile),
    ...tokenProblems(clusterFile),
  ]
  const order = [files.nodes.path, files.clusterYaml.path]
  const rank = ({ file }: Problem) => (order.includes(file) ? order.indexOf(file) : order.length)
  found.sort((a, b) => rank(a) - rank(b) || a.line - b.line || a.col - b.col)
  const problems = [...found.filter(({ warning }) => !warning), ...operations.problems]
  if (!nodes.value || !settings.value || !operations.value || problems.length > 0) return { ok: false, problems }

  const name = settings.value.cluster_name ?? files.name
  return {
    ok: true,
    value: {
      cluster: clusterOf(name, nodes.value, settings.value, pins.value, operations.value),
      values: withDefaults(clusterFile.value as Record<string, unknown>, nodesFile.value as { nodes: unknown[] }),
      variables: pins.value.variables,
    },
    warnings: found,
  }
}

/** A file that can not be read is told as that, and not as one without its keys. */
const ofFile = (source: YamlSource, problems: Problem[]): Problem[] =>
  source.value === undefined
    ? source.problems
    : [...source.problems, ...unlessSaid(source.ambiguities(), problems), ...problems]

function missingPins({ at }: Pins, file: string): Problem[] {
  return ['talosVersion', 'kubernetesVersion']
    .filter((name) => !at[name])
    .map((name) => ({ file, line: 1, col: 1, message: `${name} is missing`, hint: `${name}: v1.2.3` }))
}

function clusterOf(
  name: string,
  { nodes }: InferOutput<typeof flatNodesSchema>,
  settings: InferOutput<typeof clusterYamlSchema>,
  { variables: { talosVersion = '', kubernetesVersion = '' } }: Pins,
  operations: Cluster['operations'],
): Cluster {
  return {
    id: name.replace(/^cluster-/, ''),
    name,
    talosVersion: parseVersion(talosVersion) ?? talosVersion,
    ...(operations.generate.contract !== undefined && { talosContract: operations.generate.contract }),
    kubernetesVersion: parseVersion(kubernetesVersion) ?? kubernetesVersion,
    endpointHost: settings.cluster_api_addr,
    vip: settings.cluster_api_addr,
    nodes: nodes.map(({ name, address, controller, schematic_id }) => ({
      name,
      address,
      role: controller ? 'controlplane' : 'worker',
      schematic: schematic_id,
    })),
    operations,
  }
}

/** What cluster-template's plugin puts in for keys that are left out. */
const DEFAULTS = {
  node_dns_servers: ['1.1.1.1', '1.0.0.1'],
  node_ntp_servers: ['162.159.200.1', '162.159.200.123'],
  cluster_pod_cidr: '10.42.0.0/16',
  cluster_svc_cidr: '10.43.0.0/16',
  repository_branch: 'main',
  repository_visibility: 'public',
  cilium_loadbalancer_mode: 'dsr',
} as const

const BGP = ['cilium_bgp_router_addr', 'cilium_bgp_router_asn', 'cilium_bgp_node_asn']

function withDefaults(written: Record<string, unknown>, { nodes }: { nodes: unknown[] }): Record<string, unknown> {
  return {
    ...DEFAULTS,
    node_default_gateway: nthHost(String(written.node_cidr), 1),
    cilium_bgp_enabled: BGP.every((key) => Boolean(written[key])),
    spegel_enabled: nodes.length > 1,
    ...written,
    nodes,
  }
}

function topologyOf(nodesFile: YamlSource, clusterFile: YamlSource, { at }: Pins): Topology {
  const file = locate(clusterFile)
  const nodes = locate(nodesFile).get('nodes')
  const network = file.get('node_cidr').text()
  /** What is left out is complained about at the key that it follows from, or collides with. */
  const withDefault = (key: string, value: string | undefined): Located[] => {
    const given = file.get(key).text()
    if (given) return [given]
    if (file.get(key).value !== undefined || value === undefined || network === undefined) return []
    return [{ ...network, value, at: (message) => network.at(`${message}, by default`, `set ${key}`) }]
  }
  return {
    endpoint: undefined,
    vip: file.get('cluster_api_addr').text(),
    gateway: withDefault('node_default_gateway', network && nthHost(network.value, 1))[0],
    nodeNetworks: network ? [network] : [],
    podNetworks: withDefault('cluster_pod_cidr', DEFAULTS.cluster_pod_cidr),
    serviceNetworks: withDefault('cluster_svc_cidr', DEFAULTS.cluster_svc_cidr),
    privateNetworks: [],
    taken: [
      ...named(file.get('cluster_gateway_addr'), 'the internal gateway'),
      ...named(file.get('cluster_dns_gateway_addr'), 'the DNS gateway'),
      ...named(file.get('cloudflare_gateway_addr'), 'the external gateway'),
    ],
    talosVersion: at.talosVersion,
    kubernetesVersion: at.kubernetesVersion,
    schedulingOnControlPlanes: undefined,
    nodesKey: (message, hint) => nodesFile.keyProblem(['nodes'], message, hint),
    terms: { controlPlane: 'controller: true', withoutTpm: 'encrypt_disk: false' },
    nodes: nodes.items().map(nodeOf),
  }
}

const named = (place: Place, what: string): (Located & { what: string })[] => {
  const located = place.text()
  return located ? [{ ...located, what }] : []
}

function nodeOf(node: Place): TopologyNode {
  const disk = node.get('disk').text()
  const encrypted = node.get('encrypt_disk').any()
  return {
    hostname: node.get('name').text(),
    addresses: [node.get('address').text() ?? []].flat(),
    macs: [node.get('mac_addr').text() ?? []].flat(),
    // what is no boolean may mean yes: a mistake of shape is not said again as a missing control plane
    controlPlane: ![undefined, null, false].includes(node.get('controller').value as boolean),
    disk,
    diskSelector: undefined,
    secureboot: node.get('secureboot').value === true,
    tpm: encrypted?.value === true ? encrypted : undefined,
  }
}

/** BGP with only a part of its settings would silently be off. */
function bgpProblems(source: YamlSource): Problem[] {
  const file = locate(source)
  const given = BGP.filter((key) => file.get(key).any())
  const missing = BGP.filter((key) => !given.includes(key))
  return given.length > 0 && missing.length > 0
    ? [file.get(given[0] ?? '').key('BGP is off unless all of its settings are there', `add ${missing.join(' and ')}`)]
    : []
}

const TOKEN = 'cloudflare_token'

/** Its value is a secret and shown nowhere. */
function tokenProblems(source: YamlSource): Problem[] {
  const token = locate(source).get(TOKEN)
  return token.value === undefined || (typeof token.value === 'string' && token.value !== '')
    ? []
    : [token.key(`${TOKEN} should be text`)]
}
