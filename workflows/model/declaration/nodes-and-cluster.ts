/** nodes.yaml and cluster.yaml as cluster-template has them: what keys there are, and what they hold. */
import {
  array,
  boolean,
  check,
  integer,
  maxValue,
  minLength,
  minValue,
  nonEmpty,
  number,
  optional,
  picklist,
  pipe,
  regex,
  string,
  union,
} from 'valibot'
import { parseAddress } from '../parse-address.ts'
import { yamlMap } from './yaml-map.ts'

const text = pipe(string(), nonEmpty('is empty'))

const address = pipe(
  string(),
  check((written) => /^[\d.]+$/.test(written) && parseAddress(written) !== undefined, 'is not an IPv4 address'),
)

const network = pipe(string(), regex(/^[\d.]+\/\d{1,2}$/, 'is not a network such as 10.42.0.0/16'))

/** A number, or the digits of one. */
const between = (least: number, most: number) => {
  const fits = (value: number) => Number.isInteger(value) && value >= least && value <= most
  const says = `is not a whole number from ${least} to ${most}`
  return union([
    pipe(number(), check(fits, says)),
    pipe(
      string(),
      check((digits) => /^\d+$/.test(digits) && fits(Number(digits)), says),
    ),
  ])
}

/** One entry of `nodes` in nodes.yaml. */
export const flatNodeKeys = {
  name: pipe(string(), regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'is not a host name')),
  address,
  controller: boolean(),
  disk: text,
  mac_addr: pipe(string(), regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, 'is not a MAC address in lower case')),
  schematic_id: pipe(
    string(),
    regex(/^[0-9a-f]{64}$/, 'is not a schematic id, which is 64 hexadecimal digits in lower case'),
  ),
  mtu: optional(
    pipe(
      number(),
      integer('is not a whole number'),
      minValue(1450, 'is less than 1450'),
      maxValue(9000, 'is more than 9000'),
    ),
  ),
  secureboot: optional(boolean()),
  encrypt_disk: optional(boolean()),
  kernel_modules: optional(array(string())),
} as const

export const flatNodesSchema = yamlMap({
  nodes: pipe(array(yamlMap(flatNodeKeys)), minLength(1, 'names no node')),
})

/**
 * cluster.yaml. Only what concerns machines has to be there: whatever else a template wants, it asks for itself. The token
 * is not here, because a message about it would show it.
 */
export const clusterYamlKeys = {
  cluster_name: optional(text),
  node_cidr: network,
  node_dns_servers: optional(array(address)),
  node_ntp_servers: optional(array(string())),
  node_default_gateway: optional(address),
  node_vlan_tag: optional(between(1, 4094)),
  cluster_api_addr: address,
  cluster_api_tls_sans: optional(array(string())),
  cluster_pod_cidr: optional(network),
  cluster_svc_cidr: optional(network),
  cluster_gateway_addr: optional(address),
  cluster_dns_gateway_addr: optional(address),
  repository_name: optional(text),
  repository_branch: optional(text),
  repository_visibility: optional(picklist(['public', 'private'])),
  cloudflare_domain: optional(text),
  cloudflare_gateway_addr: optional(address),
  cilium_loadbalancer_mode: optional(picklist(['dsr', 'snat'])),
  cilium_bgp_router_addr: optional(address),
  cilium_bgp_router_asn: optional(between(1, 4_294_967_295)),
  cilium_bgp_node_asn: optional(between(1, 4_294_967_295)),
} as const

export const clusterYamlSchema = yamlMap(clusterYamlKeys)
