/**
 * How a node stands: from what the plan saw, what was begun on it since, and what can be read now. What we began is never
 * called unchanged, and neither is a machine that booted meanwhile, whoever booted it.
 */
import semver from 'semver'
import type { NodeName } from '../model/cluster.ts'
import { FAILURES, type Failure, failure, type Result } from '../model/failure.ts'
import type { Inspection } from '../model/observation.ts'
import { stepNamed } from '../model/step-facts.ts'
import type { StepName } from '../model/step-name.ts'
import { type Evidence, isGood, isUpgraded, type Verdict } from '../model/verdict.ts'
import type { NodePlan, Switch, Work } from './plan.ts'
import { runsTarget } from './slot.ts'
import { isAsWell } from './unwell.ts'
import { withoutUnasked } from './without-unasked.ts'

/** What was begun on a node, under the boot that the plan saw. */
export type Begun = {
  /** `done`: it was seen to have ended well */
  install: 'no' | 'begun' | 'done'
  /** the node was taken down, or was about to be */
  flipped: boolean
  /** it was seen to have left that boot */
  booted?: true
  /** it was cordoned, drained, or made to hand etcd over */
  disturbed?: true
  /** what was read of it last, after all that was begun on it */
  seen?: Evidence
  /** what its installation said of the other slot, while nothing took it down since */
  waits?: Evidence['waiting']
}

export type Judgement = { verdict: Verdict; evidence: Evidence }

/** What was read of a node. `votes` is absent where nobody asked its etcd member. */
export type Sight = Inspection & { votes?: boolean }

/** The verdict on a node; `seen` is absent where nothing could be read. */
export function judge(plan: NodePlan, begun: Begun, seen: Sight | undefined): Judgement {
  if (seen === undefined) {
    const evidence = { versionBefore: plan.before.version, bootIdBefore: plan.before.bootId }
    return { verdict: 'unreachable', evidence: withInstall(plan, evidence, begun, 'it does not answer') }
  }
  const waiting = waitingIn(plan, begun, seen)
  const evidence: Evidence = {
    version: seen.version,
    versionBefore: plan.before.version,
    ...(seen.schematic === undefined ? {} : { schematic: seen.schematic }),
    bootId: seen.bootId,
    bootIdBefore: plan.before.bootId,
    stage: seen.stage,
    ready: seen.ready,
    ...(!seen.ready && isAsWell(plan.before, seen) ? { unmet: seen.unmet } : {}),
    ...(waiting === undefined ? {} : { waiting }),
  }
  return { verdict: verdictOf(plan, begun, seen, waiting?.image), evidence }
}

function verdictOf(plan: NodePlan, begun: Begun, seen: Sight, waiting: string | undefined): Verdict {
  const { before, work } = plan
  const booted = seen.bootId !== before.bootId
  const isWell = isAsWell(before, seen) && seen.votes !== false
  switch (work.kind) {
    case 'leave':
    case 'restart':
      // it may have been asked, and may go down yet
      if (!booted) return begun.flipped ? 'interrupted' : 'unchanged'
      if (runsAsBefore(plan, seen)) return isWell ? 'rebooted' : 'stuck'
      return semver.lt(seen.version, before.version) ? 'rolled-back' : 'stuck'
    case 'switch':
      if (booted && runsTarget(work, seen)) {
        if (!isWell) return 'stuck'
        return begun.flipped || begun.install === 'no' ? 'upgraded' : 'flipped-early'
      }
      if (waiting === work.image) return 'installed-not-rebooted'
      if (!booted) return 'unchanged'
      if (!begun.flipped) return runsAsBefore(plan, seen) && isWell ? 'rebooted' : 'stuck'
      return runsAsBefore(plan, seen) ? 'rolled-back' : 'stuck'
  }
}

/** Whether that verdict on a node says that its work is done, and well. */
export const isReached = ({ kind }: Work, verdict: Verdict): boolean =>
  kind === 'restart' ? verdict === 'rebooted' : isUpgraded(verdict)

/** What the next boot finds in the other slot, as far as it is known. */
function waitingIn({ before, work }: NodePlan, begun: Begun, seen: Sight): Evidence['waiting'] {
  const slot = seen.otherSlot
  const mayWait = seen.bootId === before.bootId
  switch (slot.state) {
    case 'installed':
      return { image: slot.image, ...(slot.at === undefined ? {} : { since: slot.at }) }
    case 'installing':
      return { image: slot.image, doubt: 'it is being installed' }
    case 'cut-off':
      return { image: slot.image, doubt: 'its installation was cut off' }
    case 'quiet':
    case 'install-failed':
      return mayWait && work.kind === 'switch' && begun.install === 'done'
        ? { image: work.image, doubt: 'its log no longer tells of the installation' }
        : undefined
    default:
      return mayWait && mayHaveInstalled(work, begun)
        ? { image: work.image, doubt: 'its log can not tell whether the installation ended' }
        : undefined
  }
}

/** Below Talos 1.13 the call that takes a node down installs, too. */
const mayHaveInstalled = (work: Work, { install, flipped }: Begun): work is Switch =>
  work.kind === 'switch' && (install !== 'no' || (flipped && work.how === 'one call'))

/** A boot ends what was uncertain: it runs what it found. */
const hasBooted = ({ before }: NodePlan, { bootId = before.bootId }: Evidence, { booted }: Begun): boolean =>
  booted === true || bootId !== before.bootId

/** The evidence of a node that nobody could read, with what we began on it. */
function withInstall(plan: NodePlan, evidence: Evidence, begun: Begun, doubt: string): Evidence {
  const { work } = plan
  if (evidence.waiting !== undefined || hasBooted(plan, evidence, begun) || !mayHaveInstalled(work, begun))
    return evidence
  return { ...evidence, waiting: { image: work.image, doubt } }
}

/** What the plan saw of a node, for one that was left as it was. */
export function evidenceBefore({ before: { version, bootId, schematic, otherSlot } }: NodePlan): Evidence {
  return {
    version,
    bootId,
    ...(schematic === undefined ? {} : { schematic }),
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
  const isSure =
    !['unchanged', 'interrupted'].includes(verdict) &&
    !(verdict === 'installed-not-rebooted' && evidence.waiting?.doubt)
  return { verdict: isSure || FAILURES[reason].exit !== 'refused' ? verdict : 'refused', evidence }
}

/** What stands of an installation before anything was begun. */
export const installedBefore = (work: Work): Begun['install'] =>
  work.kind === 'switch' && work.how === 'reboot: it waits' ? 'done' : 'no'

/** A node as the run left it, before the last look. */
export type Stood = Begun & Judgement & { plan: NodePlan; failure?: Failure }

/** Steps that ask Kubernetes, of which a look at Talos tells nothing. */
const OF_KUBERNETES: ReadonlySet<StepName | undefined> = new Set(['settle', 'uncordon', 'pass-gates'])

/**
 * How a node stands at the end of a run, by a last look; `seen` is why where nothing could be read. What is no longer true
 * is taken back, and said to be a failure.
 */
export function judgeAtEnd(stood: Stood, seen: Result<Sight>): Judgement & { failure?: Failure } {
  const { plan, failure: why } = stood
  const judged = judge(plan, stood, seen.ok ? seen.value : undefined)
  const now = stood.verdict === 'refused' && why ? afterFailure(judged, why) : judged
  const keeps = isReached(plan.work, now.verdict)
    ? isReached(plan.work, stood.verdict) || OF_KUBERNETES.has(why?.step)
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
type BegunLine = {
  type: string
  step?: string
  node?: string
  path?: string
  ok?: boolean
  output?: unknown
  failure?: Pick<Failure, 'unasked'>
}

/** What a run began on its nodes, by whatever process: an intent stands in the journal before anything is done. */
export function begunBy(records: readonly BegunLine[]): Record<NodeName, Begun> {
  const begun: Record<NodeName, Begun> = {}
  for (const { type, step, node, path, ok, output } of withoutUnasked(records)) {
    const { changes = false } = stepNamed(step) ?? {}
    if (type === 'intent' && node !== undefined && changes) begun[node] = withIntent(begun[node] ?? NOTHING, step)
    const [of = '', , ended = ''] = path?.split('/') ?? []
    if (type === 'outcome' && ok && begun[of]) begun[of] = { ...begun[of], ...toldBy(ended, output) }
  }
  return begun
}

const NOTHING: Begun = { install: 'no', flipped: false }

function withIntent(before: Begun, step: string | undefined): Begun {
  const { takesDown, writesSlot } = stepNamed(step) ?? {}
  const { install, flipped, disturbed } = before
  // what was read of a node before is old
  const known = { flipped, ...(disturbed && { disturbed }) }
  if (takesDown) return { ...known, install, flipped: true }
  if (writesSlot) return { ...known, install: install === 'no' ? 'begun' : install }
  return { ...before, disturbed: true }
}

/** What stands of a node where what was about to be asked of it was not. */
export const withoutRequest = ({ install }: Pick<Begun, 'install'>): Pick<Begun, 'install' | 'flipped'> => ({
  install: install === 'begun' ? 'no' : install,
  flipped: false,
})

/** What the outcome of a step says of its node. */
function toldBy(step: string, output: unknown): Partial<Begun> {
  switch (step) {
    case 'install': {
      const waits = (output ?? {}) as NonNullable<Evidence['waiting']>
      return { install: 'done', ...(waits.image && { waits }) }
    }
    case 'reboot':
    case 'upgrade': {
      const { stillUp, seen } = (output ?? {}) as { stillUp?: boolean; seen?: Evidence }
      return stillUp ? {} : { booted: true, ...(seen && { seen }) }
    }
    case 'verify':
    case 'diagnose': {
      const { evidence } = (output ?? {}) as { evidence?: Evidence }
      return evidence?.version === undefined ? {} : { seen: evidence }
    }
    default:
      return {}
  }
}

/** How a node stands in a run that stands still: stopped, without its lock, or not taken up again. It says what that run saw. */
export function judgeStopped(plan: NodePlan, stood: Judgement, begun: Begun = NOTHING): Judgement {
  const { verdict } = stood
  const { booted, seen, flipped, waits } = begun
  const install = begun.install === 'no' ? installedBefore(plan.work) : begun.install
  const isOpen = verdict === 'unchanged' || verdict === 'refused' || verdict === 'interrupted'
  // what its last goal brought is what was read last
  if (!isOpen) return { verdict, evidence: withInstall(plan, stood.evidence, begun, BEGUN) }
  const { version, bootId } = plan.before
  const evidence =
    seen || booted
      ? { versionBefore: version, bootIdBefore: bootId, ...seen }
      : withInstall(plan, { ...stood.evidence, ...(waits && { waiting: waits }) }, begun, BEGUN)
  const isUnderWay = verdict === 'interrupted' && (begun.disturbed || begun.install === 'begun')
  if (flipped || isUnderWay) return { verdict: 'interrupted', evidence }
  const otherwise = verdict === 'refused' ? 'refused' : 'unchanged'
  return { verdict: leftRunning(seen && !seen.waiting ? 'no' : install, otherwise), evidence }
}

const BEGUN = 'its installation was begun'

/** Why the work on a node that came back is not done; undefined when it is. */
export function whyNotReached(plan: NodePlan, seen: Inspection): Failure | undefined {
  const { before, work } = plan
  if (seen.bootId === before.bootId) return failure('reboot-failed', { detail: 'its boot id did not change' })
  const other = work.kind === 'switch' ? whyOtherThan(plan, work, seen) : whyNotAsBefore(plan, seen)
  if (other) return other
  if (isAsWell(before, seen)) return undefined
  return failure('never-ready', { detail: seen.unmet.join(', ') || seen.stage })
}

/** Why it runs something else than it was to boot. */
function whyOtherThan({ node, before }: NodePlan, target: Switch, seen: Inspection): Failure | undefined {
  if (runsTarget(target, seen)) return undefined
  if (semver.eq(seen.version, target.to)) {
    const fellBack = before.version === target.to && seen.schematic === before.schematic
    return failure(fellBack ? 'rolled-back' : 'wrong-schematic', {
      detail: `runs schematic ${seen.schematic ?? 'none'}, not ${target.schematic}`,
    })
  }
  if (!semver.eq(seen.version, before.version))
    return failure('wrong-version', { detail: `runs ${seen.version}, not ${target.to}` })
  return failure('rolled-back', {
    detail: `runs ${seen.version} again, not ${target.to}`,
    hint: `talosctl -n ${node} dmesg # then run again with --retry`,
  })
}

/** Why it runs something else than before a boot that was to change nothing. */
function whyNotAsBefore(plan: NodePlan, seen: Inspection): Failure | undefined {
  if (runsAsBefore(plan, seen)) return undefined
  const { version, schematic } = plan.before
  return semver.eq(seen.version, version)
    ? failure('wrong-schematic', {
        detail: `runs schematic ${seen.schematic ?? 'none'}, and ran ${schematic ?? 'none'} before`,
      })
    : failure('wrong-version', { detail: `runs ${seen.version}, and ran ${version} before` })
}

const runsAsBefore = ({ before }: NodePlan, seen: Inspection): boolean =>
  semver.eq(seen.version, before.version) && seen.schematic === before.schematic
