/**
 * The structured talenv.yaml, as Terraform writes it: what keys there are, what they hold and what they are for. The
 * published JSON Schema (talenv.schema.json) is made from this very schema.
 */
import {
  array,
  boolean,
  check,
  description,
  type InferOutput,
  integer,
  maxValue,
  minLength,
  minValue,
  nullish,
  number,
  optional,
  picklist,
  pipe,
  record,
  regex,
  string,
  transform,
  union,
} from 'valibot'
import { parseAddress } from '../parse-address.ts'
import { parseVersion } from '../parse-version.ts'
import { talosContract } from './talos-contract.ts'
import { yamlMap } from './yaml-map.ts'

export const version = pipe(
  string(),
  check((text) => parseVersion(text) !== undefined, 'is not a version such as v1.13.9'),
  transform((text) => parseVersion(text) ?? text),
)

const address = pipe(
  string(),
  check((text) => parseAddress(text) !== undefined, 'is not an IP address'),
  transform((text) => parseAddress(text) ?? text),
)

/** What Kubernetes accepts as the name of a node: RFC 1123, lower case. */
const hostname = pipe(
  string(),
  regex(
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'is not a host name',
  ),
)

/** What `cluster` holds, from the address of the Kubernetes endpoint; undefined for what is none. */
export function endpointHost(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' && hostname !== '' ? hostname.replace(/^\[|\]$/g, '') : undefined
}

export const endpoint = pipe(
  string(),
  check((text) => endpointHost(text) !== undefined, 'is not an address such as https://10.0.0.10:6443'),
)

const mac = pipe(
  string(),
  regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, 'is not a MAC address such as 00:1b:63:84:45:e6, in lower case'),
)

const cidr = pipe(string(), regex(/^[0-9a-fA-F:.]+\/\d{1,3}$/, 'is not a network such as 10.0.0.0/24'))
const mtu = pipe(
  number(),
  integer('is not a whole number'),
  minValue(1280, 'is less than 1280'),
  maxValue(9216, 'is more than 9216'),
)
const vlanId = pipe(
  number(),
  integer('is not a whole number'),
  minValue(1, 'is less than 1'),
  maxValue(4094, 'is more than 4094'),
)
const port = union([
  number(),
  pipe(string(), regex(/^\d+(-\d+)?$/, 'is not a port or a range of ports such as 10250 or 4240-4245')),
])
const size = pipe(string(), regex(/^(<=|>=|<|>|==)?\s*\d+(\.\d+)?\s*[kKMGTP]?i?B?$/, 'is not a size such as >= 100GB'))
const strings = optional(array(string()), [])
const said = description

const route = {
  network: pipe(cidr, said('0.0.0.0/0 and ::/0 are the default routes')),
  gateway: nullish(address, null),
  metric: nullish(number(), null),
}

/** One network interface of a node: found by name or by MAC address. */
export const interfaceKeys = {
  name: pipe(nullish(string(), null), said('name of the interface, such as enp3s0f0')),
  mac: pipe(nullish(mac, null), said('finds the interface where names change; in lower case')),
  dhcp: pipe(optional(boolean(), false), said('addresses come from a DHCP server')),
  addresses: pipe(optional(array(cidr), []), said('own addresses with their prefix, 10.0.0.11/24')),
  routes: pipe(optional(array(yamlMap(route)), []), said('routes by way of this interface')),
  mtu: nullish(mtu, null),
  vlan: pipe(nullish(vlanId, null), said('VLAN that the addresses, routes and the virtual IP belong to')),
} as const

/** How a disk is found where its device name is not stable; all of what is given must match, models and serials as globs. */
export const diskSelectorKeys = {
  model: nullish(string(), null),
  serial: nullish(string(), null),
  wwid: nullish(string(), null),
  uuid: nullish(string(), null),
  modalias: nullish(string(), null),
  busPath: nullish(string(), null),
  size: nullish(size, null),
  type: nullish(picklist(['ssd', 'hdd', 'nvme', 'sd']), null),
} as const

const firewallRule = {
  name: string(),
  protocol: optional(picklist(['tcp', 'udp', 'icmp', 'icmpv6']), 'tcp'),
  ports: optional(array(port), []),
  subnets: pipe(array(cidr), minLength(1, 'names no network')),
}

export const firewallKeys = {
  defaultAction: optional(picklist(['accept', 'block']), 'block'),
  rules: optional(array(yamlMap(firewallRule)), []),
} as const

export const clusterKeys = {
  name: pipe(string(), said('name of the cluster; the folder is called like it, and what is generated')),
  id: pipe(union([string(), number()]), transform(String), said('what follows cluster- in the name of the folder')),
  endpoint: pipe(endpoint, said('address of the Kubernetes API: https://<virtual IP, control plane or name>:6443')),
  vip: pipe(nullish(address, null), said('virtual IP that the control planes share; never used to reach Talos')),
  talosVersion: pipe(version, said('release that the nodes are to run')),
  talosContract: pipe(
    nullish(talosContract, null),
    said(
      'minor release as whose the configurations are written (default: that of the last generation); v1.13 or older',
    ),
  ),
  kubernetesVersion: version,
  domain: pipe(nullish(string(), null), said('DNS domain of the cluster (default: cluster.local)')),
  nodeCidrs: pipe(optional(array(cidr), []), said('networks of the nodes, IPv4 and IPv6')),
  podCidrs: pipe(optional(array(cidr), []), said('networks of the pods: at most one of IPv4 and one of IPv6')),
  serviceCidrs: pipe(optional(array(cidr), []), said('networks of the services, in the order of podCidrs')),
  privateNetworks: pipe(optional(array(cidr), []), said('other networks that pods and services must not overlap')),
  gateway: pipe(nullish(address, null), said('default gateway of the nodes')),
  nameservers: pipe(optional(array(address), []), said('DNS servers of the nodes')),
  timeServers: pipe(strings, said('NTP servers of the nodes')),
  allowSchedulingOnControlPlanes: pipe(
    nullish(boolean(), null),
    said('pods run on control planes (default: true where there are no workers)'),
  ),
  cni: pipe(optional(picklist(['flannel', 'none']), 'flannel'), said('none: the CNI is installed after bootstrap')),
  certSANs: pipe(strings, said('more names and addresses in the certificates of the APIs')),
} as const

export const nodeKeys = {
  hostname,
  ipAddress: pipe(
    union([address, pipe(array(address), minLength(1, 'names no address'))]),
    said('address that Talos is reached at; of several the first'),
  ),
  controlPlane: optional(boolean(), false),
  disk: pipe(
    nullish(pipe(string(), regex(/^\/dev\/\S+$/, 'is not a device such as /dev/sda')), null),
    said('disk that Talos is installed on; or diskSelector'),
  ),
  diskSelector: pipe(
    nullish(yamlMap(diskSelectorKeys), null),
    said('finds the disk that Talos is installed on; or disk'),
  ),
  mac: pipe(nullish(mac, null), said('MAC address of the only interface; more of them go to interfaces')),
  interfaces: optional(array(yamlMap(interfaceKeys)), []),
  schematic: pipe(
    nullish(
      pipe(string(), regex(/^[0-9a-f]{64}$/, 'is not a schematic id, which is 64 hexadecimal digits in lower case')),
      null,
    ),
    said('id of a schematic at the Image Factory; without it one is made of extensions and kernelArgs'),
  ),
  extensions: pipe(strings, said('system extensions, siderolabs/iscsi-tools; of a declared schematic: what is in it')),
  kernelArgs: pipe(strings, said('kernel arguments; they belong to the schematic')),
  secureboot: optional(boolean(), false),
  encryption: pipe(
    nullish(picklist(['nodeID', 'tpm']), null),
    said('STATE and EPHEMERAL are encrypted with LUKS2; effective on empty partitions only'),
  ),
  labels: pipe(optional(record(string(), string()), {}), said('labels of the Kubernetes node')),
  taints: pipe(optional(record(string(), string()), {}), said('key: value:Effect; of a worker only before it joins')),
  ingressFirewall: nullish(yamlMap(firewallKeys), null),
} as const

/** A whole talenv.yaml. Keys that are not known are handed to the templates as they are. */
export const talenvSchema = yamlMap({
  cluster: yamlMap(clusterKeys),
  nodes: pipe(array(yamlMap(nodeKeys)), minLength(1, 'names no node')),
})

export type Talenv = InferOutput<typeof talenvSchema>
