import { AGAIN } from '../../model/again.ts'
/** Decides for each node whether it is drained, and refuses what could not end well. */
import type { Cluster, NodeDeclaration, NodeName } from '../../model/cluster.ts'
import { type Failure, failure } from '../../model/failure.ts'
import type { KubeNode, KubernetesFacts, KubernetesObservation } from '../../model/kubernetes.ts'
import type { NodeObservation } from '../../model/observation.ts'
import { ownNodes } from '../identity.ts'
import { APPLY, forbidden } from '../missing-access.ts'
import type { Drain, KubernetesPlan, StaleCordon } from '../plan.ts'
import { unwellNow } from '../unwell.ts'
import { takesPods } from './fits-elsewhere.ts'
import { fitNowhere, forecastDrain } from './forecast.ts'
import { nameSome } from './name-some.ts'

export type PlannedDrains = {
  /** the part in Kubernetes of each node that it knows */
  byNode: Readonly<Record<NodeName, KubernetesPlan>>
  staleCordons: StaleCordon[]
  failures: Failure[]
  notes: string[]
}

/** `working` are the nodes that are to go down, and `seen` is who they are; `skip` is the person's wish to leave out the drains. */
export function planDrains(
  cluster: Cluster,
  kubernetes: KubernetesObservation,
  working: readonly NodeDeclaration[],
  seen: Readonly<Record<NodeName, NodeObservation>>,
  { skip, again = `${AGAIN} --skip-drain` }: { skip: boolean; again?: string },
): PlannedDrains {
  const policy = cluster.operations.drain
  const isOff = skip || !policy.enabled
  if (!kubernetes.answers) {
    const { failure: why } = kubernetes
    const said = `Kubernetes can not be asked: ${why.detail ?? why.reason}`
    if (isOff)
      return { byNode: {}, staleCordons: [], failures: [], notes: [`${said}; nothing is drained or waited for`] }
    // what can be mended is mended: only silence is a reason to go without
    const told = why.reason === 'kubernetes-unreachable' ? { hint: again, ...why } : why
    return { byNode: {}, staleCordons: [], failures: working.length > 0 ? [told] : [], notes: [] }
  }
  const byNode: Record<NodeName, KubernetesPlan> = {}
  const failures: Failure[] = []
  const notes: string[] = []
  for (const declared of working) {
    const { node, rivals, stale } = ownNodes(declared, factsOf(seen[declared.name]), kubernetes.nodes)
    notes.push(...stale.map((other) => staleNote(declared.name, other)))
    if (node === undefined) {
      const why = rivals.length > 0 ? ambiguous(declared, rivals) : unknown(declared, stale)
      if (isOff) notes.push(`${declared.name}: ${why.detail}`)
      else failures.push(why)
      continue
    }
    const plan = planDrain(kubernetes, node, cluster, isOff)
    byNode[declared.name] = plan
    const blocking = plan.drain.how === 'left alone' ? [] : plan.drain.obstacles.filter((o) => o.blocks)
    if (blocking.length === 0) continue
    const detail = nameSome(
      blocking.map((o) => o.detail),
      3,
    )
    if (policy.whenBlocked === 'try') {
      notes.push(`${declared.name}: its drain may block: ${detail}`)
      continue
    }
    const hint = blocking[0]?.hint ?? `kubectl drain ${node.name} --dry-run=server`
    failures.push(failure('drain-would-block', { node: declared.name, detail, hint }))
  }
  if (working.length > 0) failures.push(...gateTrialFailures(kubernetes), ...rightsObjections(kubernetes, isOff))
  return { byNode, staleCordons: staleCordons(kubernetes), failures, notes }
}

const factsOf = (seen: NodeObservation | undefined) => (seen?.reachable ? seen : undefined)

const named = (nodes: readonly KubeNode[]): string => nodes.map(({ name }) => name).join(' and ')

const ambiguous = ({ name: node }: NodeDeclaration, rivals: readonly KubeNode[]): Failure =>
  failure('kubernetes-node-ambiguous', {
    node,
    detail: `Kubernetes has ${named(rivals)}, and each could be it`,
    hint: 'kubectl get nodes -o wide # and delete the one that is gone',
  })

function unknown({ name: node, address }: NodeDeclaration, stale: readonly KubeNode[]): Failure {
  const dead = stale.length > 0 ? `: ${named(stale)} is of another boot, and not ready` : ''
  return failure('kubernetes-node-unknown', {
    node,
    detail: `Kubernetes knows no node with the address ${address} or this name that runs this machine's boot${dead}`,
    hint: 'kubectl get nodes -o wide',
  })
}

const staleNote = (node: NodeName, { name, detail }: KubeNode): string =>
  `${node}: Kubernetes has another Node with its address, ${name}, which is not ready${detail ? ` (${detail})` : ''} and nothing of this machine: it is left alone`

/** A node's part in the plan. */
export function planDrain(facts: KubernetesFacts, node: KubeNode, cluster: Cluster, isOff: boolean): KubernetesPlan {
  const { evicts, obstacles } = forecastDrain(facts, node.name, cluster.operations.drain)
  const { name, kubeletVersion } = node
  const gates = cluster.operations.gates.map((gate) => gate.name)
  const unwell = unwellNow(facts, node)
  const planned = (drain: Drain): KubernetesPlan => ({ name, kubeletVersion, gates, drain, ...(unwell && { unwell }) })
  if (isOff) return planned({ how: 'left alone', whyNot: 'drains are switched off' })
  if (!facts.nodes.some((other) => other.name !== name && takesPods(other)))
    return planned({ how: 'left alone', whyNot: 'no other node takes pods, so there is nowhere to drain to' })
  // what else comes to it until its turn is moved again, so that it is cordoned all the same
  if (fitNowhere({ evicts, obstacles }))
    return planned({ how: 'cordoned only', whyNot: 'its pods fit on no other node', obstacles })
  return planned({ how: 'drained', evicts, obstacles })
}

/** Every mark is that of a run which no longer exists: plans are made under the cluster's lock. */
const staleCordons = ({ nodes }: KubernetesFacts): StaleCordon[] =>
  nodes.flatMap(({ name, mark }) => (mark ? [{ node: name, run: mark.run }] : []))

/** A person's own kubeconfig that may not do what the run is going to: better known now than when a node is half way. */
function rightsObjections({ denied }: KubernetesFacts, isOff: boolean): Failure[] {
  const needed = denied.filter(({ resource }) => !isOff || resource === 'leases')
  return needed.length === 0 ? [] : [forbidden(needed)]
}

const gateTrialFailures = ({ gates }: KubernetesFacts): Failure[] =>
  gates.flatMap(({ gate, state, detail, manifest }) => {
    if (state === 'met') return []
    const said = `the gate "${gate}" can not be looked at: ${detail}`
    if (manifest !== undefined) return [failure('kubernetes-forbidden', { detail: said, manifest, hint: APPLY })]
    return state === 'wrong'
      ? [failure('gate-wrong', { detail: `the gate "${gate}" can not be evaluated: ${detail}` })]
      : [failure('gate-unmet', { detail: `the gate "${gate}" does not hold before anything is changed: ${detail}` })]
  })
