/**
 * Visits every state that a run can reach when each step may end in every way that it can, by the same functions
 * that drive a real run, and says which promises are broken on the way.
 */
import type { AnyStateMachine } from 'xstate'
import {
  begin,
  type Effect,
  expire,
  feed,
  isDone,
  type Machines,
  type Outcome,
  openEffects,
  type RunState,
} from '../../scripts/engine/run-state.ts'
import type { ClusterContext, ClusterOutput, LookBackInput } from '../../workflows/machines/cluster.ts'
import type { Diagnosis, NodeOutput } from '../../workflows/machines/node.ts'
import { failure } from '../../workflows/model/failure.ts'
import type { StepName } from '../../workflows/model/step-name.ts'
import type { NodeVerdict, Verdict } from '../../workflows/model/verdict.ts'
import { type Life, type NodePlan, type Plan, type Switch, sequenceOf } from '../../workflows/plan/plan.ts'

/** What has happened on the way to a state, as far as a promise speaks of it. */
type Past = {
  pulled: string[]
  gated: string[]
  leads: string[]
  handedOver: string[]
  installed: string[]
  verified: string[]
  down: string[]
  /** asked to go down, and went; or found to have gone by itself */
  went: string[]
  /** went when it was asked to */
  wentByUs: string[]
  snapshot: boolean
  /** may carry our cordon */
  cordoned: string[]
  drained: string[]
  /** found ready by Kubernetes */
  settled: string[]
  gatesPassed: string[]
  /** failed at anything */
  failed: string[]
  cleared: boolean
  lookedBack: boolean
  /** found well by a diagnosis, and its turn to go on */
  late: string[]
  /** its turn went on after that */
  wentOn: string[]
  /** a process died, or slept, while the node was to be asked to go down */
  asked: string[]
  /** was to be asked, and seen to run on */
  stillUp: string[]
  /** the last look objected */
  refused: string[]
  /** failed on its way down or up, and nobody tried to read how it stands */
  unread: string[]
}

const failed = (step: StepName): Outcome => ({ ok: false, failure: failure('command-failed', { step }) })
const blocked: Outcome = { ok: false, failure: failure('drain-blocked', { step: 'drain' }) }
const ended = (output?: unknown): Outcome => ({ ok: true, output })
/** The look right before the request objects: nothing was asked. */
const refused: Outcome = { ok: false, failure: failure('etcd-alarm', { step: 'check-etcd' }) }
const stillUp = ended({ flippedEarly: false, stillUp: true })
const diagnosed = (verdict: Verdict): Outcome => ended({ verdict, evidence: {} })

const OUTCOMES: Record<string, Outcome[]> = {
  'clear-cordons': [ended(), failed('clear-cordons')],
  'snapshot-etcd': [ended(), failed('snapshot-etcd')],
  cordon: [ended(), failed('cordon')],
  drain: [ended(), blocked],
  settle: [ended({ asBefore: [] }), failed('settle')],
  uncordon: [ended(), failed('uncordon')],
  'pass-gates': [ended(), failed('pass-gates')],
  'pull-image': [ended(), failed('pull-image')],
  install: [ended(), failed('install')],
  'check-etcd': [ended({ leads: false }), ended({ leads: true }), failed('check-etcd')],
  'hand-over-leadership': [ended(), failed('hand-over-leadership')],
  reboot: [ended({ flippedEarly: false }), ended({ flippedEarly: true }), failed('reboot')],
  upgrade: [ended({ flippedEarly: false }), failed('upgrade')],
  rejoin: [ended(), failed('rejoin')],
  diagnose: [diagnosed('rolled-back'), failed('diagnose')],
}

/** How the step may end, from here. What comes late or is lost again multiplies the ways, so only in small clusters. */
function outcomesOf(plan: Plan, effect: Effect, past: Past): Outcome[] {
  const { input } = effect
  const { step } = effect.meta
  const isSmall = plan.nodes.length <= 3 && !plan.policy.keepGoing && !plan.policy.passOverBlocked
  const { flipped } = input as { flipped?: boolean }
  const reached = diagnosed(reachedBy(plan, nodeOf(effect)))
  // a single member leads nobody
  if (step === 'check-etcd' && plan.controlPlanes.length === 1) return [ended({ leads: false }), failed(step)]
  if (step === 'verify') return [reached, failed('verify')]
  // what was being installed may have been booted by somebody
  const mayBeReached = flipped || (plan.nodes.length < 3 && effect.path.endsWith('/install/diagnose'))
  if (step === 'diagnose' && mayBeReached && isSmall) return [reached, ...(OUTCOMES.diagnose ?? [])]
  // what goes on from a process that died, or slept, asks nothing
  if (isGoingDown(effect)) return [...(OUTCOMES[step] ?? []), past.asked.includes(nodeOf(effect)) ? stillUp : refused]
  if (step !== 'look-back') return OUTCOMES[step] ?? []
  const stood = (input as LookBackInput).nodes.map(({ plan: { node }, verdict, evidence, failure: why }) => ({
    node,
    verdict,
    evidence,
    ...(why ? { failure: why } : {}),
  }))
  const lost = stood.find(({ node, verdict }) => verdict === reachedBy(plan, node))
  const unwell = { verdict: 'unreachable' as const, failure: failure('unwell-at-end') }
  if (!lost || !isSmall) return [ended(stood)]
  return [ended(stood), ended(stood.map((s) => (s === lost ? { ...s, ...unwell } : s)))]
}

/** The verdict on a node to which was done what was to be done. */
const reachedBy = (plan: Plan, node: string): Verdict =>
  plan.nodes.find((n) => n.node === node)?.work.kind === 'restart' ? 'rebooted' : 'upgraded'

/** Nobody but us takes nodes down in this world. */
const isGoodVerdict = (verdict: string): boolean => ['upgraded', 'flipped-early', 'rebooted'].includes(verdict)

const NOT_YET: readonly Life[] = ['maintenance', 'reset']

/** What happens to a node in a wave that takes it nowhere. */
const prepares = ['pull-image', 'install', 'diagnose']

const takesOut = ['cordon', 'drain', 'settle', 'uncordon', 'pass-gates']

const isGoingDown = ({ meta: { step } }: Effect): boolean => step === 'reboot' || step === 'upgrade'

const nodeOf = (effect: Effect): string => (effect.input as { plan?: { node: string }; node?: string }).plan?.node ?? ''

const with_ = (list: string[], node: string): string[] => [...new Set([...list, node])].sort()

const without = (list: string[], node: string): string[] => list.filter((n) => n !== node)

function remember(before: Past, effect: Effect, outcome: Outcome): Past {
  const node = nodeOf(effect)
  const step = effect.meta.step
  const past = {
    ...before,
    // a patch that failed may have been carried out
    ...(step === 'cordon' ? { cordoned: with_(before.cordoned, node) } : {}),
    ...(step === 'uncordon' ? { cordoned: without(before.cordoned, node) } : {}),
    ...(step === 'diagnose' ? { unread: without(before.unread, node) } : {}),
    ...(outcome.ok
      ? {}
      : {
          failed: with_(before.failed, node),
          went: without(before.went, node),
          wentByUs: without(before.wentByUs, node),
        }),
    ...(step === 'rejoin' && before.late.includes(node)
      ? { late: without(before.late, node), wentOn: with_(before.wentOn, node) }
      : {}),
    ...(isGoingDown(effect)
      ? {
          asked: without(before.asked, node),
          stillUp: outcome === stillUp ? with_(before.stillUp, node) : without(before.stillUp, node),
        }
      : {}),
  }
  if (outcome === refused) return { ...past, refused: with_(past.refused, node) }
  if (!outcome.ok)
    return effect.meta.disruptive ? { ...past, down: with_(past.down, node), unread: with_(past.unread, node) } : past
  switch (step) {
    case 'clear-cordons':
      return { ...past, cleared: true }
    case 'drain':
      // what was seen of etcd before a drain is old after it
      return { ...past, drained: with_(past.drained, node), gated: without(past.gated, node) }
    case 'pass-gates':
      return { ...past, gatesPassed: with_(past.gatesPassed, node) }
    case 'settle':
      return { ...past, settled: with_(past.settled, node) }
    case 'pull-image':
      return { ...past, pulled: with_(past.pulled, node) }
    case 'snapshot-etcd':
      return { ...past, snapshot: true }
    case 'install':
      return { ...past, installed: with_(past.installed, node) }
    case 'reboot':
    case 'upgrade':
      return outcome === stillUp
        ? past
        : { ...past, went: with_(past.went, node), wentByUs: with_(past.wentByUs, node) }
    case 'check-etcd':
      return {
        ...past,
        gated: with_(past.gated, node),
        leads: (outcome.output as { leads: boolean }).leads ? with_(past.leads, node) : without(past.leads, node),
      }
    case 'hand-over-leadership':
      return { ...past, handedOver: with_(past.handedOver, node) }
    case 'diagnose':
      // what is well after all failed at nothing
      return isGoodVerdict((outcome.output as Diagnosis).verdict) && !before.wentOn.includes(node)
        ? {
            ...past,
            // one that booted what was being installed has its turn all the same
            ...(effect.path.endsWith('/install/diagnose') ? {} : { late: with_(past.late, node) }),
            failed: without(past.failed, node),
            down: without(past.down, node),
            went: with_(past.went, node),
            // it runs what it was to boot, so that was there
            installed: with_(past.installed, node),
          }
        : past
    case 'look-back': {
      const [lost] = (outcome.output as NodeVerdict[]).filter(({ failure: why }) => why?.reason === 'unwell-at-end')
      return { ...past, lookedBack: true, failed: lost ? with_(past.failed, lost.node) : past.failed }
    }
    case 'verify':
      // what led to it speaks of nothing that is still to come
      return {
        ...past,
        verified: with_(past.verified, node),
        gated: without(past.gated, node),
        leads: without(past.leads, node),
        handedOver: without(past.handedOver, node),
      }
    default:
      return past
  }
}

/**
 * Another process takes the run up, or this one slept: whatever was found before is old by now, and what was done may be
 * undone, for a node on its way to go down. Undefined where nobody is.
 */
function afterDeath(state: RunState, past: Past): Past | undefined {
  const open = openEffects(state)
  const onTheirWay = open.filter((e) => e.meta.expires || isGoingDown(e)).map(nodeOf)
  if (onTheirWay.length === 0) return undefined
  const still = (list: string[]) => list.filter((node) => !onTheirWay.includes(node))
  return {
    ...past,
    gated: still(past.gated),
    leads: still(past.leads),
    handedOver: still(past.handedOver),
    drained: still(past.drained),
    // it may have been carried out
    cordoned: open
      .filter(({ meta }) => meta.step === 'cordon')
      .map(nodeOf)
      .reduce(with_, past.cordoned),
    asked: open.filter(isGoingDown).map(nodeOf).reduce(with_, past.asked),
  }
}

/** Broken promises in one state; each is a sentence. */
function broken(plan: Plan, state: RunState, past: Past): string[] {
  const open = openEffects(state)
  const { policy } = plan
  const roleOf = (node: string) => plan.nodes.find((n) => n.node === node)
  const [canary = ''] = sequenceOf(plan)
  const howOf = (node: string): Switch['how'] | undefined => {
    const work = roleOf(node)?.work
    return work?.kind === 'switch' ? work.how : undefined
  }
  // that it can not be worked on was seen before the run, and is no step's failure
  const gaveUp = (node: string): boolean =>
    past.failed.includes(node) || (state.snapshot.context as ClusterContext).results[node]?.failure !== undefined
  const wants = (step: string) => plan.chores.some((chore) => chore.step === step)
  const downNow = open.filter((e) => e.meta.disruptive).map(nodeOf)
  const down = [...new Set([...downNow, ...past.down])]
  const problems: string[] = []
  const promise = (holds: boolean, sentence: string) => {
    if (!holds) problems.push(sentence)
  }
  const controlPlanesDown = down.filter((n) => roleOf(n)?.role === 'controlplane')
  promise(controlPlanesDown.length <= 1, 'two control planes are down')
  promise(
    policy.workersBesideControlPlanes || controlPlanesDown.length === 0 || downNow.length <= 1,
    'somebody is down beside a control plane',
  )
  const workersBusy = open
    .filter((e) => e.meta.disruptive || takesOut.includes(e.meta.step))
    .map(nodeOf)
    .filter((n) => roleOf(n)?.role === 'worker')
  promise(workersBusy.length <= policy.workersAtOnce, 'more workers are taken out than the policy allows')
  promise(
    policy.keepGoing ||
      policy.workersBesideControlPlanes ||
      past.down.length === 0 ||
      downNow.every((n) => policy.workersAtOnce > 1 || past.down.includes(n)),
    'a node goes down after one failed',
  )
  promise(
    open.length === 0 || !wants('clear-cordons') || past.cleared || open[0]?.meta.step === 'clear-cordons',
    'something is done before the cordons of dead runs are lifted',
  )
  const bounds = plan.waves.flatMap(({ atOnce }) => atOnce ?? [])
  promise(
    open.filter((e) => ['pull-image', 'install'].includes(e.meta.step)).length <= Math.max(1, ...bounds),
    'too many pull or install at once',
  )
  promise(new Set(open.map(nodeOf)).size === open.length, 'one node does two things at once')
  const changing = open.filter((e) => e.meta.disruptive || e.meta.step === 'install')
  const toPull = plan.nodes.filter(({ node }) => ['write, then reboot', 'one call'].includes(howOf(node) ?? ''))
  const isPulled = ({ node }: NodePlan): boolean => past.pulled.includes(node) || (policy.keepGoing && gaveUp(node))
  promise(changing.length === 0 || toPull.every(isPulled), 'a node is changed before all have pulled')
  promise(changing.length === 0 || !wants('snapshot-etcd') || past.snapshot, 'a node is changed before the snapshot')
  promise(
    !open.some((e) => e.meta.step === 'snapshot-etcd') || toPull.every(isPulled),
    'a snapshot is taken before all have pulled',
  )
  for (const effect of changing) {
    const node = nodeOf(effect)
    const { role, kubernetes } = roleOf(node) ?? {}
    promise(
      plan.verb !== 'upgrade' ||
        node === canary ||
        past.verified.includes(canary) ||
        ((policy.keepGoing || policy.passOverBlocked) && gaveUp(canary)),
      `${effect.meta.step} before the canary is verified`,
    )
    if (!effect.meta.disruptive) continue
    promise(!past.stillUp.includes(node) || isGoingDown(effect), 'a node that runs on is taken for one that went down')
    promise(!isGoingDown(effect) || !past.wentByUs.includes(node), 'a node that went down is asked to once more')
    // what is open since before a death asks nothing
    if (past.asked.includes(node)) continue
    promise(
      !isGoingDown(effect) || (kubernetes?.drain.how ?? 'left alone') === 'left alone' || past.drained.includes(node),
      'a node goes down with its pods',
    )
    promise(
      !isGoingDown(effect) || role !== 'controlplane' || past.gated.includes(node),
      'a control plane goes down without a look at etcd',
    )
    promise(
      !past.leads.includes(node) || past.handedOver.includes(node),
      'the etcd leader goes down without handing over',
    )
    promise(
      role !== 'controlplane' || plan.controlPlanes.length > 1 || !past.handedOver.includes(node),
      'a single member was asked to hand over',
    )
    promise(
      effect.meta.step !== 'reboot' ||
        !howOf(node) ||
        howOf(node) === 'reboot: it waits' ||
        past.installed.includes(node),
      'a node reboots without an installation',
    )
    promise(
      effect.meta.step !== 'upgrade' || howOf(node) === 'one call',
      'the call that installs and reboots is used on a new node',
    )
  }
  promise(
    !open.some((e) => e.meta.step === 'diagnose' && past.refused.includes(nodeOf(e))),
    'a node that nobody asked to go down is judged as if it had been',
  )
  promise(
    !open.some((e) => e.meta.step !== 'look-back' && NOT_YET.includes(roleOf(nodeOf(e))?.before.seen ?? 'ready')),
    'something is done to a node in a state of life in which it can not be',
  )
  const isAhead = (node: string) => plan.waves.some(({ goal, nodes }) => goal === 'install' && nodes.includes(node))
  for (const effect of open) {
    const { path, meta } = effect
    const node = nodeOf(effect)
    const { role, kubernetes } = roleOf(node) ?? {}
    const [, goal] = path.split('/')
    const isOf = (...steps: string[]) => steps.includes(meta.step)
    promise(!isOf('install') || !past.installed.includes(node), 'a node is installed twice')
    promise(!isOf('install') || goal === 'install' || !isAhead(node), 'a node is installed ahead, and in its turn')
    promise(!isOf('pull-image') || !past.pulled.includes(node), 'a node pulls what it has pulled')
    promise(node === '' || goal === 'turn' || prepares.includes(meta.step), 'a node has its turn in another wave')
    promise(!isOf('check-etcd') || role === 'controlplane', 'etcd is looked at for a worker')
    promise(!isOf('hand-over-leadership') || past.leads.includes(node), 'a follower was asked to hand over')
    promise(!isOf('cordon') || kubernetes?.drain.how !== 'left alone', 'a node is cordoned that was to be left alone')
    promise(!isOf('drain') || past.cordoned.includes(node), 'a node is drained that is not cordoned')
    promise(!isOf('uncordon') || past.cordoned.includes(node), 'a cordon is lifted that is not ours')
    promise(
      !isOf('settle', 'cordon') || kubernetes !== undefined,
      'Kubernetes is asked for a node that it does not know',
    )
    promise(!isOf('pass-gates') || kubernetes?.gates.length !== 0, 'gates are waited for, and there are none')
  }
  if (!isDone(state)) {
    promise(open.length > 0, 'the run stands still')
    return problems
  }
  const output = state.snapshot.output as ClusterOutput
  promise(open.length === 0, 'the run ended while something runs')
  promise(output.verdicts.length === plan.nodes.length, 'a node has no verdict')
  promise(!output.verdicts.some((v) => v.verdict === 'interrupted'), 'an ended run calls a node interrupted')
  promise(past.pulled.length === 0 || past.lookedBack, 'the run ends without a last look')
  promise(past.late.length === 0, 'a node is found well and given up')
  promise(past.cordoned.length === 0, 'a node is left cordoned, and nobody tried to lift it')
  for (const { node, verdict, failure: why } of output.verdicts) {
    const good = isGoodVerdict(verdict)
    const known = roleOf(node)?.kubernetes !== undefined
    const allSeen = past.verified.includes(node) && (!known || past.settled.includes(node))
    const hasGates = (roleOf(node)?.kubernetes?.gates.length ?? 0) > 0
    promise(!good || past.went.includes(node), 'a good verdict on a node that never went down')
    promise(!good || !hasGates || past.gatesPassed.includes(node), 'a good verdict, and no look at the gates')
    promise(!good || allSeen, `a node is called ${verdict} and was not verified`)
    promise(good || !allSeen || why !== undefined, `a node is called ${verdict}, was verified, and no failure is named`)
    promise(!past.failed.includes(node) || why !== undefined, 'a node failed, and no failure is named')
    promise(!good || why === undefined, 'a good verdict carries a failure')
    promise(
      !past.down.includes(node) || why !== undefined,
      'a node failed on its way down or up and no failure is named',
    )
    promise(!past.unread.includes(node), 'a node failed on its way down or up, and nobody read how it stands')
  }
  const allWell =
    plan.nodes.every((n) => n.work.kind === 'leave' || past.verified.includes(n.node)) && past.failed.length === 0
  promise(allWell === (output.failures.length === 0), 'the run hides a failure, or invents one')
  return problems
}

/**
 * The part of a state that decides what can follow, and what the promises speak of. Which of the good verdicts a node
 * got, and what a diagnosis said of a bad one, decides nothing further.
 */
function key(state: RunState, past: Past): string {
  const good = (verdict?: string) => verdict && isGoodVerdict(verdict)
  const essence = (s: RunState): unknown => {
    const {
      failures,
      results,
      running,
      waiting,
      failure: why,
      verdict,
      install,
      cordoned,
      late,
    } = s.snapshot.context as ClusterContext & NodeOutput & { cordoned?: boolean; late?: boolean }
    const known = Object.values(results ?? {}).map((r) => [
      r.node,
      r.goal,
      r.install,
      good(r.verdict),
      r.failure !== undefined,
    ])
    const decided = (failures ?? []).map(({ reason }) => reason === 'drain-blocked')
    const own = [running, waiting, decided, known, why !== undefined, good(verdict), install, cordoned, late]
    return [s.snapshot.value, own, [...s.effects.keys()], [...s.children].map(([id, c]) => [id, essence(c)])]
  }
  return JSON.stringify([essence(state), past])
}

export type Walked = { states: number; ends: number; broken: Map<string, string> }

/**
 * Walks breadth first; `broken` maps each broken promise to the first path that breaks it. With `deaths`, a process may
 * die wherever a node is on its way to go down, and the world may change before the next one takes the run up: `told` of
 * that, or `untold`.
 */
export function walk(
  root: AnyStateMachine,
  machines: Machines,
  plan: Plan,
  { stopAtFirst = false, deaths }: { stopAtFirst?: boolean; deaths?: 'told' | 'untold' } = {},
): Walked {
  const start: Past = {
    pulled: [],
    gated: [],
    leads: [],
    handedOver: [],
    installed: [],
    verified: [],
    down: [],
    went: [],
    wentByUs: [],
    snapshot: false,
    cordoned: [],
    drained: [],
    settled: [],
    gatesPassed: [],
    failed: [],
    cleared: false,
    lookedBack: false,
    late: [],
    wentOn: [],
    asked: [],
    stillUp: [],
    refused: [],
    unread: [],
  }
  type At = { state: RunState; past: Past; path: string }
  const queue: At[] = []
  const seen = new Set<string>()
  const visit = (at: At) => {
    const id = key(at.state, at.past)
    if (seen.has(id)) return
    seen.add(id)
    queue.push(at)
  }
  const result: Walked = { states: 0, ends: 0, broken: new Map() }
  visit({ state: begin(machines, root, plan), past: start, path: '' })
  for (let index = 0; index < queue.length; index++) {
    const { state, past, path } = queue[index] as At
    result.states++
    for (const sentence of broken(plan, state, past)) {
      if (!result.broken.has(sentence)) result.broken.set(sentence, path)
    }
    if (stopAtFirst && result.broken.size > 0) return result
    if (isDone(state)) {
      result.ends++
      continue
    }
    const dead = deaths ? afterDeath(state, past) : undefined
    if (dead) {
      const next = deaths === 'told' ? expire(machines, state) : state
      visit({ state: next, past: dead, path: `${path} died` })
    }
    for (const effect of openEffects(state)) {
      for (const outcome of outcomesOf(plan, effect, past)) {
        const next = feed(machines, state, effect.path, outcome)
        visit({
          state: next,
          past: remember(past, effect, outcome),
          path: `${path} ${effect.path}:${outcome.ok ? 'ok' : 'failed'}`,
        })
      }
    }
  }
  return result
}
