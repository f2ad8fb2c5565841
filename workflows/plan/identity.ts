/**
 * Who answers at an address, and which Node in Kubernetes is its own. A machine's type, its membership in etcd and its host
 * name have to be those of the node that is declared there; what it boots as tells its Node, and an address is a hint only.
 */
import { AGAIN } from '../model/again.ts'
import type { Cluster, NodeDeclaration, NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import { goesBy } from '../model/goes-by.ts'
import { isCalled } from '../model/is-called.ts'
import type { KubeNode } from '../model/kubernetes.ts'
import type { EtcdObservation, NodeFacts, NodeObservation, Observation } from '../model/observation.ts'
import type { Before, NodePlan } from './plan.ts'

type Seen = Pick<Observation, 'nodes' | 'etcd'>

const ROLES = { controlplane: 'a control plane', worker: 'a worker' } as const

const differs = (node: NodeName, detail: string, hint: string): Failure =>
  failure('other-node-than-declared', { node, detail, hint })

/** Why a machine that was looked at is not the node that is declared at its address. */
export function identityObjections(cluster: Cluster, { nodes, etcd }: Seen): Failure[] {
  const members = membersAmong(cluster.nodes, etcd, nodes)
  return cluster.nodes.flatMap((declared) => {
    const { name: node, role } = declared
    const seen = nodes[node]
    const isMember = members.includes(declared) && !(seen?.reachable && seen.role !== role)
    return [
      ...differences(cluster, declared, seen),
      ...(isMember
        ? [differs(node, 'is declared as a worker, and etcd lists it as a member', 'talosctl etcd members')]
        : []),
    ]
  })
}

/** What a machine tells of itself that the node which is declared at its address is not. */
function differences(cluster: Cluster, declared: NodeDeclaration, seen: NodeObservation | undefined): Failure[] {
  if (!seen?.reachable) return []
  const { name: node, address, role } = declared
  const other = declaredAs(cluster, declared, seen)
  const says = `talosctl -n ${node} get`
  return [
    ...(other === undefined
      ? []
      : [differs(node, `${address} answers as ${other}, which is declared elsewhere`, `${says} hostnamestatus`)]),
    ...(seen.role === role
      ? []
      : [
          differs(node, `is declared as ${ROLES[role]}, and the machine is ${ROLES[seen.role]}`, `${says} machinetype`),
        ]),
  ]
}

/**
 * Why the machine that answers for a planned node now, in the boot `bootId`, is not the one that was planned: addresses move.
 * The boot that was planned is the node's own, that of another node is not; any other boot may be anybody's, until `seen` tells
 * the machine's role and name, and whether it answers for another node, too.
 */
export function machineObjection(
  { node, before: { bootId: planned } }: Boot,
  plans: readonly Boot[],
  bootId: string,
  seen?: { cluster: Cluster; nodes: Seen['nodes'] },
): Failure | undefined {
  if (bootId === planned) return undefined
  const { cluster, nodes = {} } = seen ?? {}
  // containers of one machine share its boot, which tells nothing of them
  const sharing = plans.filter((one) => one.before.bootId === planned).map((one) => one.node)
  const boots = [...plans, ...Object.entries(nodes).flatMap(([name, one]) => bootOf(name, one))]
  const other = boots.find((one) => one.node !== node && one.before.bootId === bootId && !sharing.includes(one.node))
  if (other !== undefined) {
    const detail = `its address answers as ${other.node} does, with the same boot id`
    return differs(node, detail, `talosctl -n ${node} get hostnamestatus`)
  }
  const declared = cluster?.nodes.find(({ name }) => name === node)
  return cluster && declared && differences(cluster, declared, nodes[node])[0]
}

type Boot = Pick<NodePlan, 'node'> & { before: Pick<Before, 'bootId'> }

const bootOf = (node: NodeName, seen: NodeObservation): Boot[] =>
  seen.reachable ? [{ node, before: { bootId: seen.bootId } }] : []

/** Names that are declared nowhere: a machine may get its own from DHCP, so they are no reason against anything. */
export function identityNotes({ nodes: declared }: Cluster, nodes: Seen['nodes']): string[] {
  return declared.flatMap(({ name }) => {
    const seen = nodes[name]
    if (!seen?.reachable || seen.hostname === undefined) return []
    const { hostname } = seen
    return declared.some((node) => isCalled(node.name, hostname))
      ? []
      : [`${name}: the machine calls itself ${hostname}, which is declared nowhere`]
  })
}

/** Declared nodes that are no control plane by their declaration, and a member by etcd's own list. */
export function membersAmong(
  declared: readonly NodeDeclaration[],
  { undeclared }: Pick<EtcdObservation, 'undeclared'>,
  nodes: Readonly<Record<NodeName, NodeObservation>>,
): NodeDeclaration[] {
  return declared.filter((node) => {
    const { name, role } = node
    const seen = nodes[name]
    const own = (seen?.reachable ? seen.hostname : undefined) ?? name
    return (
      role === 'worker' &&
      undeclared.some(
        ({ addresses = [], hostname }) => addresses.some((one) => goesBy(node, one)) || isCalled(own, hostname),
      )
    )
  })
}

/** The other declared node whose name the machine has. */
function declaredAs({ nodes }: Cluster, { name }: NodeDeclaration, seen: NodeFacts): NodeName | undefined {
  const says = seen.hostname ?? seen.nodename
  if (says === undefined || isCalled(name, says)) return undefined
  return nodes.find((other) => isCalled(other.name, says))?.name
}

/** What Kubernetes has for a machine. */
export type OwnNodes = {
  /** its Node; absent where there is none, or several */
  node?: KubeNode
  /** several that could be it */
  rivals: KubeNode[]
  /** others that it left behind: its address, and nobody behind them */
  stale: KubeNode[]
}

/**
 * The Node of a machine: that of its boot, else the one that Talos names. Where a Node tells no boot, or the machine was not
 * looked at, its name and its address have to do.
 */
export function ownNodes(
  declared: Pick<NodeDeclaration, 'name' | 'address' | 'otherAddresses'>,
  seen: Pick<NodeFacts, 'bootId' | 'nodename'> | undefined,
  nodes: readonly KubeNode[],
): OwnNodes {
  const isAt = ({ addresses }: KubeNode) => addresses.some((one) => goesBy(declared, one))
  const fits = ((): KubeNode[] => {
    const isNamed = (node: KubeNode) => node.name === seen?.nodename
    const named = nodes.filter(isNamed)
    const ofBoot = seen === undefined ? [] : nodes.filter(({ bootId }) => bootId === seen.bootId)
    // containers of one machine share its boot, and a machine that was renamed leaves a Node of the same boot behind
    if (ofBoot.length > 1) return ofBoot.some(isNamed) ? named : ofBoot
    const [own] = ofBoot
    if (own !== undefined) return own.ready ? [own, ...named.filter((node) => node !== own && node.ready)] : [own]
    if (named.length > 0) return named
    if (seen?.nodename === undefined) {
      const asDeclared = nodes.filter((node) => node.name === declared.name)
      if (asDeclared.length > 0) return asDeclared
    }
    return nodes.filter((node) => isAt(node) && !(seen && node.bootId))
  })()
  const [node] = fits
  return {
    ...(node !== undefined && fits.length === 1 ? { node } : {}),
    rivals: fits.length > 1 ? fits : [],
    stale: nodes.filter((other) => isAt(other) && !other.ready && !fits.includes(other)),
  }
}

/** The Node under which a machine has registered by now, where it is another one than that which is `known` of it. */
export function registeredAnew(
  declared: Pick<NodeDeclaration, 'name' | 'address' | 'otherAddresses'>,
  known: string,
  machine: Pick<NodeFacts, 'bootId' | 'nodename'>,
  nodes: readonly KubeNode[],
): KubeNode | undefined {
  const { node } = ownNodes(declared, machine, nodes)
  return node?.name === known ? undefined : node
}

/**
 * Why the Node that was planned is not that of the machine any more. One that is not ready, or gone, or of another boot, may have
 * been left behind by it: it runs its pods under another name by now.
 */
export function nodeObjection(
  declared: Pick<NodeDeclaration, 'name' | 'address' | 'otherAddresses'>,
  planned: string,
  machine: Pick<NodeFacts, 'bootId' | 'nodename'>,
  nodes: readonly KubeNode[],
): Failure | undefined {
  const known = nodes.find(({ name }) => name === planned)
  if (known?.ready && (known.bootId ?? machine.bootId) === machine.bootId) return undefined
  const now = registeredAnew(declared, planned, machine, nodes)
  if (now === undefined) return undefined
  const detail = `it is ${now.name} in Kubernetes by now, and was ${planned} when that was planned`
  return failure('kubernetes-node-unknown', { detail, hint: AGAIN })
}
