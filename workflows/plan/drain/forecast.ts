/**
 * What a drain of a node would do and run into, from one read of the cluster: the pods that `kubectl drain
 * --ignore-daemonsets --delete-emptydir-data` evicts (its filters: k8s.io/kubectl/pkg/drain/filters.go), and what holds
 * them up.
 */
import { AGAIN } from '../../model/again.ts'
import type { DrainPolicy } from '../../model/cluster.ts'
import type { Obstacle } from '../../model/event.ts'
import type { DisruptionBudget, KubePod, KubernetesFacts, KubernetesRead } from '../../model/kubernetes.ts'
import { writeDuration } from '../../model/parse-duration.ts'
import { skipSelector } from '../../model/skip-selector.ts'
import { fitsElsewhere } from './fits-elsewhere.ts'
import { matchesSelector } from './matches-selector.ts'

export type DrainForecast = {
  /** `namespace/name` of the pods that have to go, those that end already among them */
  evicts: string[]
  /** what blocks comes first */
  obstacles: Obstacle[]
}

/** What a forecast is made from: nobody need have asked the API server about an eviction, or for its time. */
export type Foreseeable = KubernetesRead & Partial<Pick<KubernetesFacts, 'trials' | 'now'>>

export const podName = ({ namespace, name }: Pick<KubePod, 'namespace' | 'name'>): string => `${namespace}/${name}`

/** `node` is the name in Kubernetes. */
export function forecastDrain(facts: Foreseeable, node: string, policy: DrainPolicy): DrainForecast {
  const leaving = leavingPods(facts, node, policy)
  const evicts = leaving.map(podName)
  const ofPods = leaving.flatMap((pod) => obstaclesOf(pod, leaving, facts, policy))
  // what is not evicted may take as long as it likes
  const stays = fitNowhere({ evicts, obstacles: ofPods })
  const obstacles = [...ofPods.filter(({ kind }) => !(stays && kind === 'grace')), ...orphaned(facts, node)]
  return { evicts, obstacles: [...obstacles.filter((o) => o.blocks), ...obstacles.filter((o) => !o.blocks)] }
}

/** Nothing detaches a volume that is not there. */
const orphaned = ({ attachments }: Foreseeable, node: string): Obstacle[] =>
  attachments
    .filter((attachment) => attachment.node === node && attachment.orphaned)
    .map(({ name, volume }) => ({
      kind: 'orphaned-attachment',
      blocks: true,
      detail: `the VolumeAttachment ${name} is for the PersistentVolume ${volume}, which is gone, and may never be detached`,
      hint: `kubectl describe volumeattachment ${name}`,
    }))

/**
 * Whether an eviction would move nothing: every pod that would leave fits on no other node, and none is under a budget,
 * which has to be asked before a pod of several goes down.
 */
export const fitNowhere = ({ evicts, obstacles }: DrainForecast): boolean =>
  evicts.length > 0 &&
  evicts.every((pod) => obstacles.some((o) => o.kind === 'nowhere' && o.pod === pod)) &&
  !obstacles.some((o) => (o.blocks && !OF_LEAVING.has(o.kind)) || o.budget !== undefined)

/** What is no matter where nothing is evicted. */
const OF_LEAVING: ReadonlySet<Obstacle['kind']> = new Set(['grace', 'orphaned-attachment'])

/**
 * Pods whose eviction a budget forbids by its numbers: the API server is asked about these, and about no others. Those under
 * the same budgets, and as ready as each other, stand together: it decides alike about them.
 */
export function evictionSuspects(
  facts: Foreseeable,
  nodes: readonly string[],
  policy: DrainPolicy,
): [KubePod, ...KubePod[]][] {
  const alike = new Map<string, [KubePod, ...KubePod[]]>()
  for (const pod of nodes.flatMap((node) => leavingPods(facts, node, policy))) {
    const budgets = budgetsOf(pod, facts)
    // what an operator lifts later says no for now, and the plan counts on later
    if (budgets.length < 2 && !budgets.some((budget) => forbids(budget, pod) && !isLifted(budget, policy))) continue
    const key = [...budgets.map(podName), pod.ready, pod.terminating, pod.phase].join(' ')
    const known = alike.get(key)
    if (known) known.push(pod)
    else alike.set(key, [pod])
  }
  return [...alike.values()]
}

/** What leaves the node: neither static pods nor those of DaemonSets, which are back before they are gone. */
export function leavingPods({ pods }: Pick<KubernetesRead, 'pods'>, node: string, { skip }: DrainPolicy): KubePod[] {
  const skips = skip === undefined ? undefined : skipSelector(skip)?.skips
  return pods.filter(
    (pod) =>
      pod.node === node && !pod.mirror && pod.controller?.kind !== 'DaemonSet' && !isOver(pod) && !skips?.(pod.labels),
  )
}

const isOver = ({ phase }: KubePod): boolean => phase === 'Succeeded' || phase === 'Failed'

const budgetsOf = (pod: KubePod, { budgets }: Foreseeable): DisruptionBudget[] =>
  budgets.filter(
    ({ namespace, selector }) =>
      namespace === pod.namespace && selector !== undefined && matchesSelector(selector, pod.labels),
  )

/** By its numbers; a pod that does not run, or ends already, is evicted whatever a budget says. */
function forbids(
  { disruptionsAllowed, unhealthyPodEviction, currentHealthy, desiredHealthy }: DisruptionBudget,
  pod: KubePod,
): boolean {
  if (pod.phase === 'Pending' || pod.terminating || disruptionsAllowed > 0) return false
  if (pod.ready) return true
  // a budget that needs nobody is never called healthy (canIgnorePDB and after, registry/core/pod/storage/eviction.go)
  return unhealthyPodEviction !== 'AlwaysAllow' && (currentHealthy < desiredHealthy || desiredHealthy === 0)
}

/** A pod that no budget protects if only its policy does not count pods that are unwell. */
const isUnwellAndCounted = (pod: KubePod, { unhealthyPodEviction }: DisruptionBudget): boolean =>
  !pod.ready && unhealthyPodEviction !== 'AlwaysAllow'

/** What runs the pod, as its owner calls it; a Deployment has its pods made by a ReplicaSet. */
function workloadOf({ controller, labels }: KubePod): string {
  if (controller === undefined) return ''
  const { kind, name } = controller
  const hash = `-${labels['pod-template-hash']}`
  return kind === 'ReplicaSet' && name.endsWith(hash) ? `Deployment ${name.slice(0, -hash.length)}` : `${kind} ${name}`
}

function obstaclesOf(pod: KubePod, leaving: readonly KubePod[], facts: Foreseeable, policy: DrainPolicy): Obstacle[] {
  const name = podName(pod)
  const { terminating, controller, emptyDirs, finalizers, graceMs } = pod
  const goesElsewhere = fitsElsewhere(pod, facts.nodes, facts.pods)
  const budgets = policy.disableEviction || terminating ? [] : budgetsOf(pod, facts)
  const holdsUp = (kind: Obstacle['kind'], detail: string): Obstacle => ({ kind, pod: name, blocks: false, detail })
  const moves = (): Obstacle[] => {
    if (terminating) return []
    if (controller === undefined) return [barePod(name, policy)]
    if (!goesElsewhere) {
      const nowhere = holdsUp('nowhere', `${name} fits on no other node, and waits until this one is back`)
      const [budget] = budgets
      return [budget === undefined ? nowhere : { ...nowhere, budget: podName(budget) }]
    }
    const alone = `${name} is the only one of its ${controller.kind} ${controller.name}: nobody serves while it moves`
    return isAlone(pod, facts) ? [holdsUp('single-replica', alone)] : []
  }
  const describe = `kubectl -n ${pod.namespace} describe pod ${pod.name}`
  const lateMs = lateBy(pod, facts.now)
  const hangs = `${name} hangs in Terminating: it should have ended ${writeDuration(lateMs ?? 0)} ago`
  const mayTake = `${name} may take ${writeDuration(graceMs)} to end (terminationGracePeriodSeconds), longer than drain.timeout (${writeDuration(policy.timeoutMs)})`
  return [
    ...(lateMs !== undefined ? [{ ...holdsUp('hanging', hangs), blocks: true, hint: describe }] : []),
    ...(takesLong(pod, policy) && !terminating
      ? [{ ...holdsUp('grace', mayTake), blocks: true, hint: longerTimeout(graceMs) }]
      : []),
    ...budgetObstacles(pod, budgets, { leaving, facts, goesElsewhere, policy }),
    ...moves(),
    ...(emptyDirs.length > 0 ? [holdsUp('local-data', `${name} loses its emptyDir ${emptyDirs.join(', ')}`)] : []),
    ...(finalizers.length > 0
      ? [holdsUp('finalizer', `${name} goes only when somebody has taken away ${finalizers.join(', ')}`)]
      : []),
  ]
}

/** A kubelet that is busy, or a volume that is slow to be unmounted, may be that late. */
const HANGS_AFTER_MS = 5 * 60_000

/** How long ago a pod should have ended, where that is too long to be on its way; `now` is the API server's time. */
export function lateBy({ endsAt }: KubePod, now: string | undefined): number | undefined {
  const lateMs = Date.parse(now ?? '') - Date.parse(endsAt ?? '')
  return lateMs > HANGS_AFTER_MS ? lateMs : undefined
}

/** The grace that a pod has where nobody chose one: it tells nothing of how long the pod takes. */
const DEFAULT_GRACE_MS = 30_000

/** Whether a pod may take longer to end than a drain may last. */
export const takesLong = ({ graceMs }: KubePod, { timeoutMs }: DrainPolicy): boolean =>
  graceMs > Math.max(timeoutMs, DEFAULT_GRACE_MS)

/** What to write where a pod may take longer than a drain. */
export const longerTimeout = (graceMs: number): string =>
  `${AGAIN} # with more time: drain.timeout ${Math.ceil(graceMs / 60_000) + 1}m in operations.yaml`

const barePod = (name: string, { force }: DrainPolicy): Obstacle => ({
  kind: 'bare',
  pod: name,
  blocks: !force,
  detail: force
    ? `${name} has no controller: once evicted it is gone`
    : `${name} has no controller, so nothing would bring it back: kubectl does not drain it without drain.force`,
})

/** What its budgets forbid of a pod, unless the API server said that it would let the pod go. */
function budgetObstacles(
  pod: KubePod,
  [budget, ...others]: readonly DisruptionBudget[],
  around: { leaving: readonly KubePod[]; facts: Foreseeable; goesElsewhere: boolean; policy: DrainPolicy },
): Obstacle[] {
  const { leaving, facts, goesElsewhere, policy } = around
  if (budget === undefined) return []
  const name = podName(pod)
  const isAllowed = facts.trials?.[name]?.allowed === true
  const lifted = isLifted(budget, policy)
  const of = {
    pod: name,
    blocks: !lifted,
    budget: podName(budget),
    hint: `kubectl -n ${budget.namespace} get pdb ${budget.name}`,
  }
  const then = lifted ? '; its operator is expected to lift it once the node is cordoned' : ''
  const { disruptionsAllowed, currentHealthy, expectedPods, desiredHealthy } = budget
  if (others.length > 0 && !isAllowed) {
    const names = [budget, ...others].map((b) => b.name)
    const detail = `${name} is under ${names.length} PodDisruptionBudgets (${names.join(', ')}), and the API server evicts no such pod`
    return [{ ...of, blocks: true, kind: 'two-budgets', detail }]
  }
  if (forbids(budget, pod) && !isAllowed) {
    const whose = [workloadOf(pod), `${currentHealthy} of ${expectedPods} healthy, ${desiredHealthy} needed`]
    const numbers = whose.filter(Boolean).join(': ')
    const unwell = isUnwellAndCounted(pod, budget)
    const counts = unwell
      ? `; the pod is unwell itself (${pod.trouble ?? 'not ready'}), and unhealthyPodEvictionPolicy: AlwaysAllow would let it go`
      : ''
    const detail = `the PodDisruptionBudget ${podName(budget)} allows no disruption of ${name} now (${numbers})${counts}${then}`
    const hint = unwell ? letUnwellGo(budget) : of.hint
    return [{ ...of, kind: 'budget', disruptionsAllowed, detail, hint }]
  }
  if (!goesElsewhere && isBeyond(pod, leaving, budget, facts)) {
    const detail = `the PodDisruptionBudget ${podName(budget)} allows ${disruptionsAllowed} disruptions, more of its pods are on the node, and ${name} fits on no other one${then}`
    return [{ ...of, kind: 'budget', disruptionsAllowed, detail }]
  }
  return []
}

const letUnwellGo = ({ namespace, name }: DisruptionBudget): string =>
  `kubectl -n ${namespace} patch pdb ${name} --type=merge -p '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}'`

const isLifted = (budget: DisruptionBudget, { liftedBudgets }: DrainPolicy): boolean =>
  liftedBudgets.some((pattern) => matchesName(pattern, podName(budget)))

/** `pattern` is a `namespace/name` in which `*` stands for anything. */
const matchesName = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(name)

/** The budget lets some pods of the node go, and this one comes after those. */
function isBeyond(pod: KubePod, leaving: readonly KubePod[], budget: DisruptionBudget, facts: Foreseeable): boolean {
  const under = leaving.filter((other) => !other.terminating && budgetsOf(other, facts).includes(budget))
  return under.indexOf(pod) >= budget.disruptionsAllowed
}

const isAlone = (pod: KubePod, { pods }: Foreseeable): boolean =>
  !pods.some(
    (other) =>
      other.uid !== pod.uid &&
      other.namespace === pod.namespace &&
      other.ready &&
      other.controller?.kind === pod.controller?.kind &&
      other.controller?.name === pod.controller?.name,
  )
