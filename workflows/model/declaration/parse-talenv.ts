import { addressesOf } from '../addresses-of.ts'
import type { Cluster } from '../cluster.ts'
import { type Problem, unlessSaid } from '../problem.ts'
import { checkShape } from './check-shape.ts'
import { locate, type Place } from './locate.ts'
import { parseOperations } from './parse-operations.ts'
import {
  clusterKeys,
  diskSelectorKeys,
  endpointHost,
  firewallKeys,
  interfaceKeys,
  nodeKeys,
  type Talenv,
  talenvSchema,
} from './talenv.ts'
import type { Topology, TopologyNode } from './topology.ts'
import { type Purpose, topologyProblems } from './topology-problems.ts'
import { readYaml, type SourceText, type YamlPath, type YamlSource } from './yaml-source.ts'

/** A declaration that can be worked with, and what is worth saying about it; or everything that is wrong. */
export type Parsed<T> = { ok: true; value: T; warnings: Problem[] } | { ok: false; problems: Problem[] }

/** A cluster, and the same with everything that templates may use: the file's own keys with their defaults filled in. */
export type DeclaredTalenv = { cluster: Cluster; talenv: Talenv }

/**
 * A cluster from the text of its talenv.yaml (structured form, as Terraform's output `talenv_yaml` writes it) and of its
 * operations.yaml, or every mistake in both at once. The folder that holds talenv.yaml must be called like the cluster:
 * talhelper names what it generates after `name`, and Terraform what it writes after `id`.
 */
export function parseTalenv(files: {
  talenv: SourceText
  operations?: SourceText | undefined
  purpose?: Purpose | undefined
}): Parsed<DeclaredTalenv> {
  const source = readYaml(files.talenv)
  const operations = parseOperations(files.operations)
  if (source.value === undefined) return { ok: false, problems: [...source.problems, ...operations.problems] }

  const shape = checkShape(source, talenvSchema, knownKeys(source))
  const found = [
    ...source.problems,
    ...shape.problems,
    ...unlessSaid(source.ambiguities(), shape.problems),
    ...folderProblems(source, files.talenv.path),
    ...topologyProblems(topologyOf(source), files.purpose),
    ...schematicProblems(source),
  ].sort((a, b) => a.line - b.line || a.col - b.col)
  const problems = [...found.filter(({ warning }) => !warning), ...operations.problems]
  const talenv = shape.value
  if (talenv === undefined || operations.value === undefined || problems.length > 0) return { ok: false, problems }
  return {
    ok: true,
    value: { cluster: clusterOf(talenv, operations.value), talenv: withStrangers(talenv, source.value) },
    warnings: found,
  }
}

function clusterOf({ cluster, nodes }: Talenv, operations: Cluster['operations']): Cluster {
  const { id, name, talosVersion, kubernetesVersion, vip, endpoint } = cluster
  const talosContract = cluster.talosContract ?? operations.generate.contract
  return {
    id,
    name,
    talosVersion,
    ...(talosContract !== undefined && { talosContract }),
    kubernetesVersion,
    endpointHost: endpointHost(endpoint) ?? '',
    ...(vip !== null && { vip }),
    nodes: nodes.map(({ hostname, ipAddress, controlPlane, interfaces, schematic, extensions, kernelArgs }) => ({
      name: hostname,
      ...addressesOf([
        ...[ipAddress].flat(),
        ...interfaces.flatMap(({ addresses }) => addresses.map((one) => one.replace(/\/.*$/, ''))),
      ]),
      role: controlPlane ? 'controlplane' : 'worker',
      ...(schematic !== null && { schematic }),
      ...(extensions.length > 0 && { extensions }),
      ...(kernelArgs.length > 0 && { kernelArgs }),
    })),
    operations,
  }
}

/** The schema lets go of keys that it does not know, which are for the templates. */
function withStrangers<T>(known: T, written: unknown): T {
  if (Array.isArray(known)) return known.map((item, index) => withStrangers(item, (written as unknown[])[index])) as T
  if (typeof known !== 'object' || known === null) return known
  const strange = typeof written === 'object' && written !== null ? (written as Record<string, unknown>) : {}
  const merged = Object.entries(known).map(([key, value]) => [key, withStrangers(value, strange[key])])
  return { ...strange, ...Object.fromEntries(merged) }
}

function knownKeys(source: YamlSource) {
  const tolerated = (at: YamlPath, keys: object) => ({ at, keys: Object.keys(keys), others: 'tolerated' }) as const
  const nodes = locate(source).get('nodes').items()
  return [
    tolerated([], { cluster: 0, nodes: 0 }),
    tolerated(['cluster'], clusterKeys),
    ...nodes.flatMap((node, index) => [
      tolerated(['nodes', index], nodeKeys),
      tolerated(['nodes', index, 'diskSelector'], diskSelectorKeys),
      tolerated(['nodes', index, 'ingressFirewall'], firewallKeys),
      ...node
        .get('interfaces')
        .items()
        .map((_, at) => tolerated(['nodes', index, 'interfaces', at], interfaceKeys)),
    ]),
  ]
}

function topologyOf(source: YamlSource): Topology {
  const file = locate(source)
  const cluster = file.get('cluster')
  const endpoint = cluster.get('endpoint').text()
  const host = endpoint && endpointHost(endpoint.value)
  const scheduling = cluster.get('allowSchedulingOnControlPlanes').any()
  return {
    endpoint: endpoint && host !== undefined ? { ...endpoint, value: host } : undefined,
    vip: cluster.get('vip').text(),
    gateway: cluster.get('gateway').text(),
    nodeNetworks: cluster.get('nodeCidrs').texts(),
    podNetworks: cluster.get('podCidrs').texts(),
    serviceNetworks: cluster.get('serviceCidrs').texts(),
    privateNetworks: cluster.get('privateNetworks').texts(),
    taken: [],
    talosVersion: cluster.get('talosVersion').text(),
    talosContract: cluster.get('talosContract').text(),
    kubernetesVersion: cluster.get('kubernetesVersion').text(),
    schedulingOnControlPlanes: scheduling && { ...scheduling, value: scheduling.value === true },
    nodesKey: (message, hint) => source.keyProblem(['nodes'], message, hint),
    nodes: file.get('nodes').items().map(nodeOf),
  }
}

function nodeOf(node: Place): TopologyNode {
  const address = node.get('ipAddress')
  const encryption = node.get('encryption').text()
  return {
    hostname: node.get('hostname').text(),
    addresses: [address.text() ?? [], address.texts()].flat(),
    macs: [
      node.get('mac'),
      ...node
        .get('interfaces')
        .items()
        .map((one) => one.get('mac')),
    ].flatMap((mac) => mac.text() ?? []),
    // what is no boolean may mean yes: a mistake of shape is not said again as a missing control plane
    controlPlane: ![undefined, null, false].includes(node.get('controlPlane').value as boolean),
    disk: node.get('disk').any(),
    diskSelector: node.get('diskSelector').any(),
    secureboot: node.get('secureboot').value === true,
    tpm: encryption?.value === 'tpm' ? encryption : undefined,
  }
}

/** A schematic by its id is what it is: kernel arguments beside it would change nothing. */
function schematicProblems(source: YamlSource): Problem[] {
  return locate(source)
    .get('nodes')
    .items()
    .flatMap((node) => {
      const args = node.get('kernelArgs').any()
      return node.get('schematic').any() && args && (!Array.isArray(args.value) || args.value.length > 0)
        ? [
            args.at(
              'kernelArgs have no effect beside a schematic id',
              'put them into the schematic, or leave the id out',
            ),
          ]
        : []
    })
}

function folderProblems(source: YamlSource, path: string): Problem[] {
  const places = path.split(/[\\/]/)
  const folder = places.at(-2)
  const { name, id } = (locate(source).get('cluster').value ?? {}) as Record<string, unknown>
  // what lies anywhere else, or comes out of a pipe, is of no folder yet
  if (folder === undefined || !(folder.startsWith('cluster-') || places.at(-3) === 'clusters')) return []
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
