/** The rules among the values of a declaration: what no look at a single value can find. */
import { kubernetesObjections, versionObjections } from '../compatibility.ts'
import { type Network, parseNetwork } from '../network.ts'
import { parseAddress } from '../parse-address.ts'
import { parseVersion } from '../parse-version.ts'
import { type Problem, warning } from '../problem.ts'
import { PATCH_SCOPES } from './patch-scopes.ts'
import { contractOfVersion, isNewer } from './talos-contract.ts'
import type { Located, Topology, TopologyNode } from './topology.ts'

/** Node mask that Kubernetes cuts the pod network into, by family. */
const NODE_MASK = { 4: 24, 6: 64 } as const

/**
 * What the declaration is read for. On the way to other releases the declared ones may not fit each other yet: nobody can
 * generate from that, and an upgrade knows more about it than the declaration does.
 */
export type Purpose = 'generate' | 'operate'

/** Everything that is wrong with a cluster as a whole; problems that `warning` marks keep nothing from going on. */
export function topologyProblems(topology: Topology, purpose: Purpose = 'generate'): Problem[] {
  return [
    ...nameProblems(topology),
    ...addressProblems(topology),
    ...macProblems(topology),
    ...networkProblems(topology),
    ...vipProblems(topology),
    ...endpointProblems(topology),
    ...(purpose === 'generate' ? versionProblems(topology) : []),
    ...roleProblems(topology),
    ...topology.nodes.flatMap(diskProblems),
    ...topology.nodes.flatMap((node) => encryptionProblems(node, topology)),
  ]
}

/** Where `other` stands, for somebody who looks at `here`. */
const placeOf = (other: Located<unknown>, here: Located<unknown>): string =>
  other.file === here.file ? `line ${other.line}` : `${other.file}:${other.line}`

/** Complains about each value that was there before, with the line of the first one. */
function twins(values: readonly Located[], wording: (value: string) => string): Problem[] {
  const first = new Map<string, Located>()
  return values.flatMap((located) => {
    const before = first.get(located.value)
    if (before === undefined) {
      first.set(located.value, located)
      return []
    }
    return [
      located.at(
        wording(located.value),
        `the other one is ${before.file === located.file ? 'on ' : 'at '}${placeOf(before, located)}`,
      ),
    ]
  })
}

function nameProblems({ nodes }: Topology): Problem[] {
  const names = nodes.flatMap(({ hostname }) => hostname ?? [])
  return [
    ...twins(names, (name) => `two nodes have the host name ${name}`),
    ...names
      .filter(({ value }) => PATCH_SCOPES.some((scope) => scope === value))
      .map((name) =>
        name.at(`no node can be called ${name.value}`, `templates/patches/${name.value} is for many nodes`),
      ),
  ]
}

/** The address in its one spelling, still knowing where it was written. */
function normal(located: Located): (Located & { address: string })[] {
  const address = parseAddress(located.value)
  return address === undefined ? [] : [{ ...located, value: address, address }]
}

function addressProblems(topology: Topology): Problem[] {
  const addresses = topology.nodes.flatMap((node) => node.addresses.flatMap(normal))
  const networks = topology.nodeNetworks.flatMap(({ value }) => parseNetwork(value) ?? [])
  const others = [
    ...(topology.gateway ? [{ ...topology.gateway, what: 'the default gateway' }] : []),
    ...topology.taken.map((located) => ({ ...located, what: located.what })),
  ].flatMap((located) => normal(located).map((at) => ({ ...at, what: located.what })))
  const outside = (located: Located): Problem[] => {
    const network = networks.find(({ family }) => (family === 6) === located.value.includes(':'))
    if (network === undefined || networks.some((one) => one.contains(located.value))) return []
    return [located.at(`${located.value} is not in the network of the nodes`, network.canonical)]
  }
  return [
    ...twins(addresses, (address) => `two nodes have the address ${address}`),
    ...addresses.flatMap((address) => [...outside(address), ...edges(address, networks)]),
    ...addresses.flatMap((address) =>
      others
        .filter(({ value }) => value === address.value)
        .map((other) => address.at(`${address.value} is ${other.what}`, placeOf(other, address))),
    ),
    ...others.flatMap((other) => outside(other)),
    ...others.flatMap((other, index) =>
      others
        .slice(0, index)
        .filter(({ value }) => value === other.value)
        .map((before) => other.at(`${other.value} is ${before.what} already`, placeOf(before, other))),
    ),
  ]
}

const edges = (address: Located, networks: readonly Network[]): Problem[] =>
  networks.flatMap(({ canonical, first, last, prefix, family }) => {
    // of /31 and /32 every address is a host, and IPv6 has no broadcast
    if (family === 6 || prefix > 30) return []
    if (address.value === first) return [address.at(`${address.value} is the network ${canonical} itself`)]
    return address.value === last ? [address.at(`${address.value} is the broadcast address of ${canonical}`)] : []
  })

const macProblems = ({ nodes }: Topology): Problem[] =>
  twins(
    nodes.flatMap(({ macs }) => macs),
    (mac) => `two interfaces have the MAC address ${mac}`,
  )

type NamedNetwork = { located: Located; network: Network; what: string }

function networkProblems(topology: Topology): Problem[] {
  const named = (networks: readonly Located[], what: string): NamedNetwork[] =>
    networks.flatMap((located) => {
      const network = parseNetwork(located.value)
      return network ? [{ located, network, what }] : []
    })
  const nodes = named(topology.nodeNetworks, 'the network of the nodes')
  const pods = named(topology.podNetworks, 'the network of the pods')
  const services = named(topology.serviceNetworks, 'the network of the services')
  const others = named(topology.privateNetworks, 'a private network')
  const unreadable = [
    ...topology.nodeNetworks,
    ...topology.podNetworks,
    ...topology.serviceNetworks,
    ...topology.privateNetworks,
  ].filter(({ value }) => /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(value) && parseNetwork(value) === undefined)
  return [
    ...unreadable.map((located) => located.at(`${located.value} is no network`, 'such as 10.42.0.0/16')),
    ...[...nodes, ...pods, ...services, ...others]
      .filter(({ located, network }) => !sameNetwork(located.value, network))
      .map(({ located, network }) =>
        located.at(`${located.value} has bits set behind its prefix`, `the network is ${network.canonical}`),
      ),
    ...families(pods),
    ...families(services),
    ...orders(pods, services),
    ...pods.flatMap((pod) => podSize(pod, topology.nodes.length)),
    ...services.flatMap(serviceSize),
    // the nodes' own network may well lie in a private one
    ...overlaps([...nodes, ...others, ...pods, ...services], (a, b) => isOfCluster(a) || isOfCluster(b)),
  ]

  function isOfCluster(one: NamedNetwork): boolean {
    return pods.includes(one) || services.includes(one)
  }
}

/** Leading zeros and capitals are another spelling and no host bits. */
const sameNetwork = (text: string, network: Network): boolean =>
  `${parseAddress(text.split('/')[0] ?? '')}/${network.prefix}` === network.canonical

const families = (networks: readonly NamedNetwork[]): Problem[] =>
  networks.flatMap(({ located, network, what }, index) =>
    networks.slice(0, index).some((before) => before.network.family === network.family)
      ? [
          located.at(
            `${what} has two networks of IPv${network.family}`,
            'one of IPv4 and one of IPv6 is all there can be',
          ),
        ]
      : [],
  )

function orders(pods: readonly NamedNetwork[], services: readonly NamedNetwork[]): Problem[] {
  const [pod, service] = [pods[0], services[0]]
  if (!pod || !service || pod.network.family === service.network.family) return []
  return [
    service.located.at(
      `the services begin with IPv${service.network.family} and the pods with IPv${pod.network.family}`,
      'write both in the same order',
    ),
  ]
}

function podSize({ located, network }: NamedNetwork, nodes: number): Problem[] {
  const mask = NODE_MASK[network.family]
  if (network.prefix > mask) return [located.at(`${located.value} is smaller than the /${mask} that every node gets`)]
  if (mask - network.prefix > 16)
    return [located.at(`${located.value} is too large`, `at most 16 bits above the /${mask} of a node: /${mask - 16}`)]
  const room = 2 ** (mask - network.prefix)
  return room < nodes
    ? [
        located.at(
          `${located.value} has room for ${room === 1 ? 'one node' : `${room} nodes`}, and there are ${nodes}`,
          `every node gets a /${mask}`,
        ),
      ]
    : []
}

function serviceSize({ located, network }: NamedNetwork): Problem[] {
  if (network.hostBits > 20)
    return [located.at(`${located.value} is too large for services`, `/${network.family === 4 ? 12 : 108} or smaller`)]
  return network.hostBits < 4
    ? [located.at(`${located.value} is too small for services`, `/${network.family === 4 ? 28 : 124} or larger`)]
    : []
}

const overlaps = (
  networks: readonly NamedNetwork[],
  matters: (a: NamedNetwork, b: NamedNetwork) => boolean,
): Problem[] =>
  networks.flatMap((one, index) =>
    networks
      .slice(0, index)
      .filter((before) => before.what !== one.what && matters(before, one) && before.network.overlaps(one.network))
      .map((before) =>
        one.located.at(
          `${one.located.value} overlaps ${before.located.value}, ${before.what}`,
          placeOf(before.located, one.located),
        ),
      ),
  )

function vipProblems(topology: Topology): Problem[] {
  const [vip] = topology.vip ? normal(topology.vip) : []
  if (vip === undefined) return []
  const own = topology.nodes
    .flatMap((node) => node.addresses.flatMap(normal))
    .filter(({ value }) => value === vip.value)
    .map((address) =>
      address.at(`${vip.value} is the virtual IP of the cluster`, "a node's own address never moves to another node"),
    )
  const networks = topology.nodeNetworks.flatMap(({ value }) => parseNetwork(value) ?? [])
  const outside = networks.length > 0 && !networks.some((network) => network.contains(vip.value))
  const gateway = topology.gateway && parseAddress(topology.gateway.value)
  return [
    ...own,
    ...(outside
      ? [
          vip.at(
            `${vip.value} is not in the network of the nodes`,
            'it is announced by ARP, so it can not be anywhere else',
          ),
        ]
      : edges(vip, networks)),
    ...(gateway === vip.value ? [vip.at(`${vip.value} is the default gateway`)] : []),
    ...topology.taken
      .flatMap(normal)
      .filter(({ value }) => value === vip.value)
      .map((taken) => taken.at(`${vip.value} is the virtual IP of the cluster`, placeOf(vip, taken))),
  ]
}

function endpointProblems({ endpoint, vip, nodes }: Topology): Problem[] {
  const host = endpoint && parseAddress(endpoint.value)
  if (endpoint === undefined || host === undefined) return []
  if (vip && parseAddress(vip.value) === host) return []
  const holder = nodes.find((node) => node.addresses.some(({ value }) => parseAddress(value) === host))
  if (holder?.controlPlane) return []
  if (holder) return [endpoint.at(`the endpoint ${host} is a worker`, 'the Kubernetes API runs on control planes')]
  // a load balancer has an address of its own, and so has a virtual IP that the declaration does not tell
  return vip
    ? [
        endpoint.at(
          `the endpoint ${host} is neither the virtual IP nor a control plane`,
          `the virtual IP is ${vip.value}`,
        ),
      ]
    : []
}

function versionProblems({ talosVersion, talosContract, kubernetesVersion }: Topology): Problem[] {
  const talos = talosVersion && parseVersion(talosVersion.value)
  const kubernetes = kubernetesVersion && parseVersion(kubernetesVersion.value)
  if (!talosVersion || talos === undefined) return []
  // unknown to us, or taken back: the nodes may run it all the same
  const doubts = [
    ...versionObjections(talos, talos).map(({ detail = '', hint }) =>
      warning(talosVersion.at(detail, hint?.replace('workflows/upgrade.ts --to ', 'talosVersion: '))),
    ),
    ...contractProblems(talosContract, talos),
  ]
  if (!kubernetesVersion || kubernetes === undefined) return doubts
  return [
    ...doubts,
    ...kubernetesObjections(talos, kubernetes, 'declared is').map(({ detail = '' }) => kubernetesVersion.at(detail)),
  ]
}

/** A node can not read documents that came after its release. */
function contractProblems(contract: Located | undefined, talos: string): Problem[] {
  const form = contract && /^v?1\.\d+$/.test(contract.value) ? `v${contract.value.replace(/^v/, '')}` : undefined
  const own = contractOfVersion(talos)
  return contract && form && isNewer(form, own)
    ? [contract.at(`configurations in the form of ${form} can not be read by Talos ${talos}`, `talosContract: ${own}`)]
    : []
}

function roleProblems({ nodes, nodesKey, schedulingOnControlPlanes, terms }: Topology): Problem[] {
  if (nodes.length === 0) return []
  const count = nodes.filter(({ controlPlane }) => controlPlane).length
  if (count === 0)
    return [
      nodesKey('no node is a control plane', `give at least one node ${terms?.controlPlane ?? 'controlPlane: true'}`),
    ]
  const even = count % 2 === 0
  return [
    ...(even
      ? [
          warning(
            nodesKey(
              `${count} control planes bear the loss of ${count / 2 - 1}, like ${count - 1}`,
              'etcd wants an odd number',
            ),
          ),
        ]
      : []),
    ...(count === nodes.length && schedulingOnControlPlanes?.value === false
      ? [
          schedulingOnControlPlanes.at(
            'every node is a control plane, and no pod may run on control planes',
            'allowSchedulingOnControlPlanes: true',
          ),
        ]
      : []),
  ]
}

const diskProblems = ({ disk, diskSelector }: TopologyNode): Problem[] =>
  disk && diskSelector ? [diskSelector.at('a node has a disk and a diskSelector', 'keep one of them')] : []

const encryptionProblems = ({ tpm, secureboot }: TopologyNode, { terms }: Topology): Problem[] =>
  tpm && !secureboot
    ? [
        warning(
          tpm.at(
            'a key in the TPM is released to whatever boots, unless Secure Boot is on',
            `secureboot: true, or ${terms?.withoutTpm ?? 'encryption: nodeID'}`,
          ),
        ),
      ]
    : []
