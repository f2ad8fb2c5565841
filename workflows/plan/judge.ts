/**
 * How a node stands: from what the plan saw, what was begun on it since, and what can be read now. What we began is never
 * called unchanged, and neither is a machine that booted meanwhile, whoever booted it.
 */
import semver from 'semver'
import type { NodeName } from '../model/cluster.ts'
import { FAILURES, type Failure, failure, type Result } from '../model/failure.ts'
import type { Inspection } from '../model/observation.ts'
import { type Evidence, isGood, isUpgraded, type Verdict } from '../model/verdict.ts'
import type { NodePlan } from './plan.ts'
import { runsTarget } from './slot.ts'
import { isAsWell } from './unwell.ts'

/** What was begun on a node, under the boot that the plan saw. */
export type Begun = {
  /** `done`: it was seen to have ended well */
  install: 'no' | 'begun' | 'done'
  /** the node was taken down, or was about to be */
  flipped: boolean
}

export type Judgement = { verdict: Verdict; evidence: Evidence }

/** What was read of a node. `votes` is absent where nobody asked its etcd member. */
export type Sight = Inspection & { votes?: boolean }

/** The verdict on a node; `seen` is absent where nothing could be read. */
export function judge(plan: NodePlan, begun: Begun, seen: Sight | undefined): Judgement {
  if (seen === undefined) {
    const evidence = { versionBefore: plan.from, bootIdBefore: plan.bootId }
    return { verdict: 'unreachable', evidence: withInstall(plan, evidence, begun, 'it does not answer') }
  }
  const waiting = waitingIn(plan, begun, seen)
  const evidence: Evidence = {
    version: seen.version,
    versionBefore: plan.from,
    ...(seen.schematic === undefined ? {} : { schematic: seen.schematic }),
    bootId: seen.bootId,
    bootIdBefore: plan.bootId,
    stage: seen.stage,
    ready: seen.ready,
    ...(!seen.ready && isAsWell(plan, seen) ? { unmet: seen.unmet } : {}),
    ...(waiting === undefined ? {} : { waiting }),
  }
  return { verdict: verdictOf(plan, begun, seen, waiting?.image === plan.image), evidence }
}

function verdictOf(plan: NodePlan, { install, flipped }: Begun, seen: Sight, waits: boolean): Verdict {
  const booted = seen.bootId !== plan.bootId
  const isWell = isAsWell(plan, seen) && seen.votes !== false
  if (plan.work === 'none') {
    if (!booted) return 'unchanged'
    if (runsAsBefore(plan, seen)) return isWell ? 'rebooted' : 'stuck'
    return semver.lt(seen.version, plan.from) ? 'rolled-back' : 'stuck'
  }
  if (booted && runsTarget(plan, seen)) {
    if (!isWell) return 'stuck'
    return flipped || install === 'no' ? 'upgraded' : 'flipped-early'
  }
  if (waits) return 'installed-not-rebooted'
  if (!booted) return 'unchanged'
  if (!flipped) return runsAsBefore(plan, seen) && isWell ? 'rebooted' : 'stuck'
  return runsAsBefore(plan, seen) ? 'rolled-back' : 'stuck'
}

/** What the next boot finds in the other slot, as far as it is known. */
function waitingIn(plan: NodePlan, begun: Begun, seen: Sight): Evidence['waiting'] {
  const slot = seen.otherSlot
  // a boot ends what was uncertain: it runs what it found
  const mayWait = seen.bootId === plan.bootId
  switch (slot.state) {
    case 'installed':
      return { image: slot.image, ...(slot.at === undefined ? {} : { since: slot.at }) }
    case 'installing':
      return { image: slot.image, doubt: 'it is being installed' }
    case 'cut-off':
      return { image: slot.image, doubt: 'its installation was cut off' }
    case 'quiet':
    case 'install-failed':
      return mayWait && begun.install === 'done'
        ? { image: plan.image, doubt: 'its log no longer tells of the installation' }
        : undefined
    default:
      return mayWait && mayHaveInstalled(plan, begun)
        ? { image: plan.image, doubt: 'its log can not tell whether the installation ended' }
        : undefined
  }
}

/** Below Talos 1.13 the call that takes a node down installs, too. */
const mayHaveInstalled = ({ work, path }: NodePlan, { install, flipped }: Begun): boolean =>
  install !== 'no' || (flipped && work === 'upgrade' && path === 'legacy')

/** The evidence of a node that nobody could read, with what we began on it. */
function withInstall(plan: NodePlan, evidence: Evidence, begun: Begun, doubt: string): Evidence {
  if (evidence.waiting !== undefined || !mayHaveInstalled(plan, begun)) return evidence
  return { ...evidence, waiting: { image: plan.image, doubt } }
}

/** What the plan saw of a node, for one that was left as it was. */
export function evidenceBefore({ from, bootId, schematicBefore, otherSlot }: NodePlan): Evidence {
  return {
    version: from,
    bootId,
    ...(schematicBefore === undefined ? {} : { schematic: schematicBefore }),
    ...(otherSlot.state === 'installed'
      ? { waiting: { image: otherSlot.image, ...(otherSlot.at === undefined ? {} : { since: otherSlot.at }) } }
      : {}),
  }
}

/** The verdict on a node that was left running, and not looked at again: something else was in the way, or said no. */
export const leftRunning = (install: Begun['install'], otherwise: 'unchanged' | 'refused'): Verdict =>
  install === 'no' ? otherwise : 'installed-not-rebooted'

/** The verdict after a failure: what a safety rule kept from being begun is refused, and what waits is still told. */
export function afterFailure({ verdict, evidence }: Judgement, { reason }: Failure): Judgement {
  const isSure = verdict !== 'unchanged' && !(verdict === 'installed-not-rebooted' && evidence.waiting?.doubt)
  return { verdict: isSure || FAILURES[reason].exit !== 'refused' ? verdict : 'refused', evidence }
}

/** A node as the run left it, before the last look. */
export type Stood = Begun & Judgement & { plan: NodePlan; failure?: Failure }

/** Steps that ask Kubernetes, of which a look at Talos tells nothing. */
const OF_KUBERNETES: ReadonlySet<string | undefined> = new Set(['settle', 'uncordon', 'pass-gates'])

/**
 * How a node stands at the end of a run, by a last look; `seen` is why where nothing could be read. What is no longer true
 * is taken back, and said to be a failure.
 */
export function lookBack(stood: Stood, seen: Result<Sight>): Judgement & { failure?: Failure } {
  const { plan, failure: why } = stood
  const judged = judge(plan, stood, seen.ok ? seen.value : undefined)
  const now = stood.verdict === 'refused' && why ? afterFailure(judged, why) : judged
  const keeps = isUpgraded(now.verdict)
    ? isUpgraded(stood.verdict) || OF_KUBERNETES.has(why?.step)
    : stood.verdict === 'refused' && now.verdict === 'unchanged'
  const verdict = keeps ? stood.verdict : now.verdict
  const failed = why ?? (isGood(verdict) || verdict === 'installed-not-rebooted' ? undefined : unwell(stood, seen))
  const { unsettled } = stood.evidence
  // Kubernetes is not asked again
  const evidence = unsettled === undefined ? now.evidence : { ...now.evidence, unsettled }
  return { verdict, evidence, ...(failed && { failure: failed }) }
}

function unwell({ plan: { node }, flipped }: Stood, seen: Result<Sight>): Failure {
  if (!seen.ok) {
    // where we did not take it down, nothing failed
    if (seen.failure.reason === 'other-node-than-declared' && !flipped) return seen.failure
    const detail = `does not answer at the end of the run: ${seen.failure.detail ?? FAILURES[seen.failure.reason].means}`
    return failure('unwell-at-end', { node, detail, hint: `talosctl -n ${node} version # and look at its console` })
  }
  const { version, stage, unmet, votes } = seen.value
  const state = [`runs ${version}`, stage, ...unmet, ...(votes === false ? ['its etcd member does not vote'] : [])]
  const hint = `talosctl -n ${node} ${votes === false ? 'etcd status' : 'services'}`
  return failure('unwell-at-end', { node, detail: `at the end of the run: ${state.join(', ')}`, hint })
}

/** A record of a journal, as far as it tells what was begun. */
type Told = { type: string; step?: string; node?: string; path?: string; ok?: boolean }

/** What a run began on its nodes, by whatever process: an intent stands in the journal before anything is done. */
export function begunBy(records: readonly Told[]): Record<NodeName, Begun> {
  const begun: Record<NodeName, Begun> = {}
  for (const { type, step, node, path, ok } of records) {
    if (type === 'intent' && node !== undefined) {
      const before = begun[node] ?? { install: 'no', flipped: false }
      if (step === 'install' && before.install === 'no') begun[node] = { ...before, install: 'begun' }
      if (step === 'reboot' || step === 'upgrade') begun[node] = { ...before, flipped: true }
    }
    const [of = '', , ended] = path?.split('/') ?? []
    if (type === 'outcome' && ok && ended === 'install' && begun[of]) begun[of] = { ...begun[of], install: 'done' }
  }
  return begun
}

/** How a node stands in a run that stands still: stopped, without its lock, or not taken up again. */
export function judgeStopped(plan: NodePlan, stood: Judgement, begun: Begun | undefined): Judgement {
  if (begun === undefined) return stood
  const evidence = withInstall(plan, stood.evidence, begun, 'its installation was begun')
  const { verdict } = stood
  if (verdict !== 'unchanged' && verdict !== 'refused') return { verdict, evidence }
  return { verdict: begun.flipped ? 'interrupted' : leftRunning(begun.install, verdict), evidence }
}

/** Why a node that came back is not upgraded; undefined when it is. */
export function whyNotUpgraded(plan: NodePlan, seen: Inspection): Failure | undefined {
  if (seen.bootId === plan.bootId) return failure('reboot-failed', { detail: 'its boot id did not change' })
  if (!semver.eq(seen.version, plan.to)) {
    if (!semver.eq(seen.version, plan.from))
      return failure('wrong-version', { detail: `runs ${seen.version}, not ${plan.to}` })
    return failure('rolled-back', {
      detail: `runs ${seen.version} again, not ${plan.to}`,
      hint: `talosctl -n ${plan.node} dmesg # then run again with --retry`,
    })
  }
  if (!runsTarget(plan, seen)) {
    const fellBack = plan.from === plan.to && seen.schematic === plan.schematicBefore
    return failure(fellBack ? 'rolled-back' : 'wrong-schematic', {
      detail: `runs schematic ${seen.schematic ?? 'none'}, not ${plan.schematic}`,
    })
  }
  if (isAsWell(plan, seen)) return undefined
  return failure('never-ready', { detail: seen.unmet.join(', ') || seen.stage })
}

const runsAsBefore = (plan: NodePlan, seen: Inspection): boolean =>
  semver.eq(seen.version, plan.from) && seen.schematic === plan.schematicBefore
