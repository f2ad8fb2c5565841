import { addressesOf } from '../addresses-of.ts'
import type { Cluster } from '../cluster.ts'
import { parseVersion } from '../parse-version.ts'
import { checkShape } from './check-shape.ts'
import { locate, type Place } from './locate.ts'
import { parseOperations } from './parse-operations.ts'
import { parsePins } from './parse-pins.ts'
import type { Parsed } from './parse-talenv.ts'
import { substitute } from './substitute.ts'
import { talconfigSchema } from './talconfig.ts'
import { endpointHost } from './talenv.ts'
import type { Located, Topology, TopologyNode } from './topology.ts'
import { type Purpose, topologyProblems } from './topology-problems.ts'
import { readYaml, type SourceText, type YamlSource } from './yaml-source.ts'

/** The release that talhelper 3.1.16 takes where talconfig.yaml names none. */
const TALHELPERS_TALOS = 'v1.13.8'

/**
 * A cluster from a talconfig.yaml that a person wrote, with the variables of its flat talenv.yaml put in. Only what an
 * operation wants to know is held against rules here; talhelper's own schema judges the rest when it generates.
 */
export function parseTalconfig(files: {
  talconfig: SourceText
  pins?: SourceText | undefined
  operations?: SourceText | undefined
  purpose?: Purpose | undefined
}): Parsed<{ cluster: Cluster; variables: Record<string, string> }> {
  const operations = parseOperations(files.operations)
  const pins = files.pins ? parsePins(files.pins) : { value: { variables: {}, at: {} }, problems: [] }
  const { variables } = pins.value
  const written = readYaml(files.talconfig)
  const source: YamlSource = { ...written, value: substituted(written.value, variables) }
  if (source.value === undefined)
    return { ok: false, problems: [...source.problems, ...pins.problems, ...operations.problems] }
  const shape = checkShape(source, talconfigSchema, [])
  const topology = topologyOf(source)
  const found = [...source.problems, ...shape.problems, ...topologyProblems(topology, files.purpose)].sort(
    (a, b) => a.line - b.line || a.col - b.col,
  )
  const problems = [...found.filter(({ warning }) => !warning), ...pins.problems, ...operations.problems]
  if (shape.value === undefined || operations.value === undefined || problems.length > 0) return { ok: false, problems }
  const { clusterName, nodes, endpoint, talosVersion, kubernetesVersion } = shape.value
  const vip = topology.vip?.value
  const { contract } = operations.value.generate
  const cluster: Cluster = {
    id: clusterName.replace(/^cluster-/, ''),
    name: clusterName,
    talosVersion: parseVersion(talosVersion ?? TALHELPERS_TALOS) ?? TALHELPERS_TALOS,
    ...(contract !== undefined && { talosContract: contract }),
    kubernetesVersion: parseVersion(kubernetesVersion) ?? kubernetesVersion,
    endpointHost: endpointHost(endpoint) ?? '',
    ...(vip !== undefined && { vip }),
    nodes: nodes.map(({ hostname, ipAddress, controlPlane }) => ({
      name: hostname,
      ...addressesOf(ipAddress.split(',').map((one) => one.trim())),
      role: controlPlane ? 'controlplane' : 'worker',
    })),
    operations: operations.value,
  }
  return { ok: true, value: { cluster, variables }, warnings: found }
}

function substituted(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return substitute(value, variables)
  if (Array.isArray(value)) return value.map((item) => substituted(item, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, substituted(item, variables)]))
}

function topologyOf(source: YamlSource): Topology {
  const file = locate(source)
  const endpoint = file.get('endpoint').text()
  const host = endpoint && endpointHost(endpoint.value)
  const scheduling = file.get('allowSchedulingOnControlPlanes').any() ?? file.get('allowSchedulingOnMasters').any()
  const nodes = file.get('nodes').items()
  const vips = [file.get('controlPlane'), ...nodes].flatMap(vipsOf)
  return {
    endpoint: endpoint && host !== undefined ? { ...endpoint, value: host } : undefined,
    vip: vips[0],
    gateway: undefined,
    nodeNetworks: [],
    podNetworks: file.get('clusterPodNets').texts(),
    serviceNetworks: file.get('clusterSvcNets').texts(),
    privateNetworks: [],
    taken: [],
    talosVersion: file.get('talosVersion').text(),
    kubernetesVersion: file.get('kubernetesVersion').text(),
    schedulingOnControlPlanes: scheduling && { ...scheduling, value: scheduling.value === true },
    nodesKey: (message, hint) => source.keyProblem(['nodes'], message, hint),
    nodes: nodes.map(nodeOf),
  }
}

const interfacesOf = (node: Place): Place[] => node.get('networkInterfaces').items()

const vipsOf = (node: Place): Located[] =>
  interfacesOf(node).flatMap((link) =>
    [link, ...link.get('vlans').items()].flatMap((one) => one.get('vip', 'ip').text() ?? []),
  )

function nodeOf(node: Place): TopologyNode {
  const addresses = node.get('ipAddress').text()
  return {
    hostname: node.get('hostname').text(),
    addresses: addresses?.value.split(',').map((value) => ({ ...addresses, value: value.trim() })) ?? [],
    macs: interfacesOf(node).flatMap((link) => link.get('deviceSelector', 'hardwareAddr').text() ?? []),
    controlPlane: ![undefined, null, false].includes(node.get('controlPlane').value as boolean),
    disk: node.get('installDisk').any(),
    diskSelector: node.get('installDiskSelector').any(),
    secureboot: node.get('machineSpec', 'secureboot').value === true,
    tpm: undefined,
  }
}
