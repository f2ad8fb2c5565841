/**
 * A run from its first look to its report: lock, take up what an earlier process left, observe, plan, ask, drive, report.
 * A restart compares the inputs only and carries on with the stored plan before it looks whether anybody answers,
 * because a node that we just rebooted is down by our own doing.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ClusterContext, NodeVerdict } from '../../workflows/machines/cluster.ts'
import { clusterMachine, verdicts } from '../../workflows/machines/cluster.ts'
import { nodeMachine } from '../../workflows/machines/node.ts'
import type { NodeName, Operations, TalosVersion } from '../../workflows/model/cluster.ts'
import type { RunEvent } from '../../workflows/model/event.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import type { Failure, Result } from '../../workflows/model/failure.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import type { Verdict } from '../../workflows/model/verdict.ts'
import { versionObjections } from '../../workflows/plan/compatibility.ts'
import { exitCodeOf, promised } from '../../workflows/plan/exit-code.ts'
import { type Begun, begunBy, evidenceBefore, judge, judgeStopped, leftRunning } from '../../workflows/plan/judge.ts'
import type { Remembered } from '../../workflows/plan/memory.ts'
import { isEmpty, type NodePlan, type Plan } from '../../workflows/plan/plan.ts'
import { summarize } from '../../workflows/plan/summary.ts'
import { upgrade, type UpgradeWish as Wish } from '../../workflows/plan/upgrade.ts'
import { approve } from '../cli/approve.ts'
import { type Call, reject } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { knock } from '../cluster/knock.ts'
import { liftDeadCordons, withoutMarks } from '../cluster/lift-dead-cordons.ts'
import { observe, openSession, type Session, withConfigurations } from '../cluster/open-cluster.ts'
import type { World } from '../cluster/world.ts'
import { failureOfThrown, onDisk } from '../disk/on-disk.ts'
import { createInstallMemory } from '../steps/install-memory.ts'
import { upgradeSteps } from '../steps/steps.ts'
import { checkClient } from '../tools/talosctl/check-client.ts'
import { deniedOnce, roleFailures } from '../tools/talosctl/role-failures.ts'
import { chooseView } from '../view/choose.ts'
import { openView } from '../view/open-view.ts'
import { paintFor } from '../view/paint.ts'
import { planText } from '../view/plan-text.ts'
import { collectReport, type Report, type ReportCollector, reportText, writeReport } from '../view/report.ts'
import { watch } from '../watch.ts'
import { afterRun, isWorthTelling } from './after-run.ts'
import { type Driven, drive, leadsOn, unfinishedIntents } from './driver.ts'
import { startHeartbeat } from './heartbeat.ts'
import { type Journal, openJournal, readJournal } from './journal.ts'
import { waitForOrphan } from './orphan.ts'
import {
  findUnfinishedRuns,
  fromMemory,
  hasRun,
  newRun,
  openRunFolder,
  prune,
  type RunPaths,
  recall,
  runFolder,
  type UnfinishedRun,
} from './run-folder.ts'
import type { RunState } from './run-state.ts'
import { createStop, listenForSignals, type Stop, stoppedBy } from './stop.ts'
import { type Hold, takeHold } from './take-hold.ts'

/** With the release said: by the person, or by the declaration. */
type UpgradeWish = Wish & { to: TalosVersion; nodes?: NodeName[] }

type Front = {
  emit(event: RunEvent): void
  /** where the report is to be written, once the run has a folder */
  reportTo(file: string): void
}

const machines = { node: nodeMachine }

/** Version of this program: a run of another one is closed, not carried on. */
const product = String(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version)

/** Upgrades as wished, or with `--dry-run` says what would be done; resolves to the exit code. */
export async function carryOutUpgrade(call: Call, wish: UpgradeWish): Promise<ExitCode> {
  const opened = await openSession(call, wish.to)
  if (!opened.ok) return rejectUnopened(call, opened.failure)
  const session = opened.value
  // no step leads to a release that the table does not know, whatever the nodes run
  const unfit = [
    ...versionObjections(wish.to, wish.to),
    ...checkClient(session.talosctl, wish.to),
    // a dry run asks for what its role may see
    ...(call.common.dryRun ? [] : roleFailures(roleOf(session))),
  ]
  if (unfit.length > 0) return rejectUnopened(call, unfit)
  return call.common.dryRun ? rehearse(call, session, wish) : carryOutIn(session, call, wish)
}

/** Ends a command that nothing could be asked with; a run is told of, whatever kept it from beginning. */
async function rejectUnopened(call: Call, found: readonly Failure[]): Promise<ExitCode> {
  const failures = found.map(completeHints(call.cluster, call.layout).failure)
  const exitCode = reject(failures, call.common)
  if (call.common.dryRun) return exitCode
  const report = newReport(call)
  report.handle({ type: 'run.finished', run: '', exitCode, verdicts: {}, failures, tookMs: 0 })
  await tellAfter(call, report.value(), [])
  return exitCode
}

const newReport = ({ command, cluster }: Call): ReportCollector =>
  collectReport(() => new Date(), { command, cluster: cluster.name })

/** Hands the report on where operations.yaml says to whom. */
async function tellAfter(
  { cluster, layout }: Call,
  report: Report,
  changes: Session['changes'],
  signal?: AbortSignal,
): Promise<void> {
  const { after } = cluster.operations
  if (after === undefined || !isWorthTelling(report)) return
  await afterRun(after, reportText(report, changes), {
    cwd: layout.root,
    write: (text) => void process.stderr.write(text),
    ...(signal && { signal }),
  })
}

/** The same in a session that stands: from the first look to the report. */
export async function carryOutIn(session: Session, call: Call, wish: UpgradeWish): Promise<ExitCode> {
  const stop = createStop()
  const letGo = listenForSignals(stop)
  const view = await openView(viewKind(call.common.output), outlet)
  const report = newReport(call)
  let file: string | undefined
  const { event: complete } = completeHints(session.cluster, session.layout)
  const front: Front = {
    emit(event) {
      const said = complete(event)
      report.handle(said)
      view.handle(said)
    },
    reportTo(path) {
      file = path
    },
  }
  try {
    return await hold(call, session, wish, front, stop)
  } catch (error) {
    const run = file === undefined ? '' : basename(dirname(file))
    const failures = [failureOfThrown(error)]
    const exitCode = EXIT_CODES.failed
    front.emit({ type: 'run.finished', run, exitCode, verdicts: {}, failures, tookMs: 0, next: call.again })
    return exitCode
  } finally {
    const path = file
    const written = path === undefined ? undefined : onDisk(() => writeReport(path, report.value(), session.changes))
    if (written?.ok === false) front.emit({ type: 'notice', text: `there is no report: ${written.failure.detail}` })
    await view.close()
    // whoever asked once has been waiting for this, too
    await tellAfter(call, report.value(), session.changes, stop.requested.aborted ? stop.forced : stop.requested)
    letGo()
  }
}

const roleOf = ({ roles, layout }: Session) => ({ roles, talosconfig: layout.talosconfig })

/** Prints the plan, or every reason why there is none. */
async function rehearse({ common, layout }: Call, session: Session, wish: UpgradeWish): Promise<ExitCode> {
  const remembered = fromMemory(() => recall(runFolder(layout.folder), session.identity))
  if (!remembered.ok) return reject([remembered.failure], common)
  const observed = await withConfigurations(session, await observe(session, wish.nodes), wish)
  const planned = upgrade.plan(session.cluster, observed, wish, remembered.value)
  if (!planned.ok) {
    const failures = deniedOnce(planned.failure, roleOf(session))
    return reject(failures.map(completeHints(session.cluster, session.layout).failure), common)
  }
  const summary = summarize(planned.value)
  const text =
    common.output === 'json'
      ? `${JSON.stringify({ v: 1, type: 'plan', plan: summary })}\n`
      : planText(summary, session.cluster.name, paintFor(process.stdout, process.env))
  if (common.output !== 'quiet') process.stdout.write(text)
  return isEmpty(planned.value) ? EXIT_CODES.done : EXIT_CODES.pending
}

/** Runs under the cluster's lock, deaf to nothing: a signal stops it safely. */
async function hold(call: Call, session: Session, wish: UpgradeWish, front: Front, stop: Stop): Promise<ExitCode> {
  const root = runFolder(session.layout.folder)
  const opened = onDisk(() => openRunFolder(root))
  if (!opened.ok) return refuse(session, wish, front, [opened.failure])
  let hold: Hold | undefined
  try {
    const taken = await takeHold({
      folder: root,
      command: `upgrade of ${session.cluster.name}`,
      kubernetes: session.kubernetes,
      keepsLease: session.cluster.operations.access.lease === 'keep',
      durationMs: leaseMs(session.cluster.operations),
      signal: stop.requested,
      say: (text) => front.emit({ type: 'notice', text }),
    })
    if (!taken.ok) {
      if (!stop.requested.aborted) return refuse(session, wish, front, [taken.failure])
      const end = { exitCode: stoppedBy(stop.by()), run: '', failures: [], next: call.again }
      return finishUntouched(session, wish, front, end, { left: [] })
    }
    hold = taken.value
    const memory = fromMemory(() => ({
      unfinished: findUnfinishedRuns(root),
      remembered: recall(root, session.identity),
    }))
    if (!memory.ok) return refuse(session, wish, front, [memory.failure])
    return await proceed(call, session, wish, front, { root, hold, stop, ...memory.value })
  } finally {
    await hold?.release()
    if (hold) fromMemory(() => prune(root, session.identity))
  }
}

type Held = { root: string; hold: Hold; stop: Stop; unfinished: UnfinishedRun[]; remembered: Remembered }

async function proceed(call: Call, session: Session, wish: UpgradeWish, front: Front, held: Held): Promise<ExitCode> {
  const { root, stop, unfinished } = held
  const inputs = hashOf([product, session.identity, session.cluster, wish, clusterMachine.config, nodeMachine.config])
  const left: LeftBehind[] = []
  const same = unfinished.findLast((found) => found.record.inputs === inputs && leads(found) === 'on')
  for (const other of unfinished.filter((found) => found !== same)) {
    left.push(leftBehindBy(other))
    const closed = await abandon(other, front, held, whyNotFollowed(other, inputs))
    if (!closed.ok) return refuse(session, wish, front, [closed.failure], '', left)
  }
  if (same) return resume(call, session, wish, front, held, same)

  const leave = (exitCode: ExitCode, run = '', plan?: Plan) =>
    finishUntouched(session, wish, front, { exitCode, run, failures: [], next: call.again }, { left, plan })
  const looked = await lookAndPlan(session, wish, front, held)
  if (stop.requested.aborted || looked === undefined) return leave(stoppedBy(stop.by()))
  const { observed, planned } = looked
  const made = onDisk(() => newRun(root, 'upgrade', new Date()))
  if (!made.ok) return refuse(session, wish, front, [made.failure], '', left)
  const paths = made.value
  front.reportTo(paths.report)
  if (!planned.ok) return refuse(session, wish, front, planned.failure, paths.run, left, observed)
  const plan = planned.value
  if (!isEmpty(plan) && !(await approve(call, plan, stop))) {
    front.emit({ type: 'notice', text: 'not approved, so nothing was changed' })
    return leave(stop.requested.aborted ? stoppedBy(stop.by()) : EXIT_CODES.tryAgain, paths.run, plan)
  }
  const begun = onDisk(() => {
    const journal = openJournal(paths.journal)
    journal.append({
      type: 'run',
      v: 1,
      run: paths.run,
      product,
      command: 'upgrade',
      cluster: session.cluster.name,
      at: new Date().toISOString(),
      inputs,
      plan,
      again: call.again,
      identity: session.identity,
    })
    return journal
  })
  if (!begun.ok) return refuse(session, wish, front, [begun.failure], paths.run, left, observed)
  return run(call, session, front, held, { paths, journal: begun.value, plan, resumed: false })
}

/** Where its journal leads in the machines of today. */
const leads = ({ paths, record }: UnfinishedRun) =>
  leadsOn({ machines, root: clusterMachine, input: record.plan, journal: readJournal(paths.journal) })

function whyNotFollowed(unfinished: UnfinishedRun, inputs: string): string {
  const { record } = unfinished
  if (record.inputs === inputs)
    return leads(unfinished) === 'nowhere'
      ? 'its journal can not be followed'
      : 'it was killed at its end, and what it saw may be true no longer'
  return record.product === product
    ? 'the declaration or the flags changed since'
    : 'another version of this program began it'
}

type Looked = { observed: Observation; planned: Result<Plan, Failure[]> }

/** Plans from what is seen now, once the cordons of dead runs are lifted; undefined where it was told to stop. */
async function lookAndPlan(
  session: Session,
  wish: UpgradeWish,
  front: Front,
  { root, hold, stop, remembered }: Held,
): Promise<Looked | undefined> {
  const waiting = (what: string, last?: string) =>
    front.emit({ type: 'waiting', step: 'plan', for: what, ...(last === undefined ? {} : { last }) })
  const waiter = { signal: stop.requested, waiting }
  const isOver = (name: string) => hold.holdsLease() || hasRun(root, name)
  const look = async (): Promise<Looked> => {
    const all = await observe(session, wish.nodes, { signal: stop.requested })
    const seen = withoutMarks(all, isOver)
    const observed = await withConfigurations(session, seen, wish, stop.requested)
    return { observed, planned: upgrade.plan(session.cluster, observed, wish, remembered) }
  }
  try {
    const lifted = await liftDeadCordons(session, waiter, isOver)
    if (lifted.length === 0) return await look()
    front.emit({ type: 'notice', text: `lifted the cordon that an earlier run left on ${lifted.join(', ')}` })
    // pods that waited for a node are coming back, and budgets count them only then
    const { seen } = await watch(waiter, {
      what: `pods to come back to ${lifted.join(', ')}`,
      look,
      until: ({ planned }) => planned.ok || !planned.failure.some(({ reason }) => reason === 'drain-would-block'),
      deadlineMs: Math.min(COME_BACK_MS, session.cluster.operations.deadlines.readyMs),
      everyMs: 1_000,
    })
    return seen
  } catch (error) {
    if (stop.requested.aborted) return undefined
    throw error
  }
}

/** longest time for which pods are waited for that a lifted cordon lets come back */
const COME_BACK_MS = 60_000

async function resume(
  call: Call,
  session: Session,
  wish: UpgradeWish,
  front: Front,
  held: Held,
  unfinished: UnfinishedRun,
): Promise<ExitCode> {
  const { paths, record } = unfinished
  front.reportTo(paths.report)
  const opened = onDisk(() => openJournal(paths.journal))
  if (!opened.ok) return refuse(session, wish, front, [opened.failure], paths.run, [leftBehindBy(unfinished)])
  const plan = record.plan as Plan
  return run(call, session, front, held, { paths, journal: opened.value, plan, resumed: true })
}

/** Closes a run that is not followed, with its state in words; a command that it left behind is waited for. */
async function abandon(
  { paths, record }: UnfinishedRun,
  front: Front,
  { stop }: Held,
  why: string,
): Promise<Result<void>> {
  const opened = onDisk(() => openJournal(paths.journal))
  if (!opened.ok) return opened
  const journal = opened.value
  try {
    const waiting = (what: string, last?: string) =>
      front.emit({ type: 'waiting', step: 'abandon', for: what, ...(last === undefined ? {} : { last }) })
    const open = [...unfinishedIntents(journal.records).values()].flat()
    for (const { processFile, step } of open) {
      await waitForOrphan(processFile, step, { signal: stop.requested, waiting }).catch((error: unknown) => {
        if (!stop.requested.aborted) throw error
      })
    }
    // the one who asked to stop does not want it closed either
    if (stop.requested.aborted) return { ok: true, value: undefined }
    const steps = [...new Set(open.map(({ node, step }) => [node, step].filter(Boolean).join(' ')))]
    const state = steps.length > 0 ? `begun and not seen to end: ${steps.join(', ')}` : 'nothing was under way'
    const closed = onDisk(() => journal.append({ type: 'end', at: new Date().toISOString(), how: 'abandoned', state }))
    if (!closed.ok) return closed
    front.emit({
      type: 'notice',
      text: `abandoned ${record.run}, because ${why}: ${state}`,
    })
    return closed
  } finally {
    onDisk(() => journal.close())
  }
}

type Started = { paths: RunPaths; journal: Journal; plan: Plan; resumed: boolean }

async function run(
  call: Call,
  session: Session,
  front: Front,
  held: Held,
  { paths, journal, plan, resumed }: Started,
): Promise<ExitCode> {
  const startedAt = performance.now()
  front.emit({
    type: 'run.started',
    run: paths.run,
    command: 'upgrade',
    cluster: session.cluster.name,
    resumed,
    plan: summarize(plan),
  })
  const world: World = {
    cluster: session.cluster,
    talos: session.talos,
    kubernetes: session.kubernetes,
    acceptEtcdOutage: plan.acceptEtcdOutage,
    snapshots: join(held.root, 'snapshots'),
    run: paths.run,
    installs: createInstallMemory(held.remembered, journal),
    plans: plan.nodes,
    knocks: knock,
  }
  const heartbeat = startHeartbeat()
  const driven = await drive({
    machines,
    root: clusterMachine,
    input: plan,
    steps: upgradeSteps(world),
    journal,
    processes: paths.processes,
    emit: front.emit,
    stop: held.stop,
    heartbeat,
    fence: held.hold.fence,
    confirm: held.hold.confirm,
    loses: held.hold.loses,
  })
  heartbeat.stop()
  const context = driven.state.snapshot.context as ClusterContext
  const failures = [...context.failures, ...(driven.ended === 'broken' ? [driven.failure] : [])]
  const begun = begunBy(journal.records)
  const found = verdicts(context).map((stood) => {
    const planned = plan.nodes.find(({ node }) => node === stood.node)
    // a run that was carried to its end knows what became of all that it began
    if (driven.ended === 'done' || planned === undefined) return stood
    return { ...stood, ...judgeStopped(planned, stood, begun[stood.node]) }
  })
  const exitCode = exitOf(driven, failures, hasChanged(found, begun), held.stop)
  if (driven.ended === 'done') {
    // all of it is done and recorded; without this line the next run finds that out once more
    onDisk(() => journal.append({ type: 'end', at: new Date().toISOString(), how: 'finished', exitCode }))
  }
  onDisk(() => journal.close())
  for (const { node, verdict, evidence, failure: why } of found) {
    front.emit({ type: 'verdict', node, verdict, evidence, ...(why ? { failure: why } : {}) })
  }
  for (const node of driven.ended === 'done' ? [] : leftCordoned(driven.state))
    front.emit({ type: 'notice', node, text: 'stays cordoned until a run goes on, which lifts its own cordons first' })
  const next =
    (driven.ended === 'done' ? nextCommand(found, failures) : undefined) ??
    (exitCode === EXIT_CODES.done ? undefined : call.again)
  front.emit({
    type: 'run.finished',
    run: paths.run,
    exitCode,
    verdicts: Object.fromEntries(found.map((v) => [v.node, v.verdict])),
    failures,
    tookMs: Math.round(performance.now() - startedAt),
    ...(next ? { next } : {}),
  })
  return exitCode
}

/** Nodes that may carry our cordon while the run stands still. */
const leftCordoned = ({ children }: RunState): NodeName[] =>
  [...children.values()].flatMap(({ snapshot }) => {
    const { cordoned, plan } = snapshot.context as { cordoned?: boolean; plan: NodePlan }
    return cordoned ? [plan.node] : []
  })

/** Longer than any phase in which the API server may be away, so that nobody takes the cluster over meanwhile. */
function leaseMs({ deadlines, drain }: Operations): number {
  return Math.max(...Object.values(deadlines), drain.timeoutMs, drain.detachMs) + LEASE_MARGIN_MS
}

const LEASE_MARGIN_MS = 5 * 60_000

/** What a run that is not carried on began, which a run that ends before it begins does not call unchanged. */
type LeftBehind = { plans: NodePlan[]; begun: Record<NodeName, Begun> }

const leftBehindBy = ({ paths, record }: UnfinishedRun): LeftBehind => ({
  // a plan of another version, or of another verb, may have none
  plans: (record.plan as Partial<Plan> | null)?.nodes ?? [],
  begun: begunBy(readJournal(paths.journal).records),
})

/** This run changed nothing, and every reason is said. */
function refuse(
  session: Session,
  wish: UpgradeWish,
  front: Front,
  failures: Failure[],
  run = '',
  left: LeftBehind[] = [],
  observed?: Observation,
): ExitCode {
  const next = failures.find((f) => f.hint)?.hint
  const end = { exitCode: exitCodeOf(failures), run, failures, ...(next && { next }) }
  return finishUntouched(session, wish, front, end, { left, observed })
}

/** Ends a run that changed nothing: every wished node is as it was, but for what an earlier process began. */
function finishUntouched(
  { cluster }: Session,
  wish: UpgradeWish,
  front: Front,
  end: { exitCode: ExitCode; run: string; failures: Failure[]; next?: string },
  known: { left: LeftBehind[]; plan?: Plan | undefined; observed?: Observation | undefined },
): ExitCode {
  const verdict = end.exitCode === EXIT_CODES.refused ? 'refused' : 'unchanged'
  const nodes = cluster.nodes.map((n) => n.name).filter((n) => !wish.nodes || wish.nodes.includes(n))
  const found = nodes.map((node): NodeVerdict => {
    const seen = known.observed?.nodes[node]
    for (const { plans, begun } of known.left.toReversed()) {
      const planned = plans.find((n) => n.node === node)
      const of = begun[node]
      if (!planned || !of) continue
      if (seen?.reachable) {
        const now = judge(planned, of, seen)
        return { node, ...now, verdict: now.verdict === 'unchanged' ? verdict : now.verdict }
      }
      return { node, ...judgeStopped(planned, { verdict, evidence: evidenceBefore(planned) }, of) }
    }
    const planned = known.plan?.nodes.find((n) => n.node === node)
    if (planned?.work !== 'finish') return { node, verdict, evidence: {} }
    return { node, verdict: leftRunning('done', verdict), evidence: evidenceBefore(planned) }
  })
  for (const { node, verdict: stands, evidence } of found)
    if (stands !== verdict) front.emit({ type: 'verdict', node, verdict: stands, evidence })
  const begun = known.left.some((left) => hasChanged([], left.begun))
  const exitCode = promised(end.exitCode, begun)
  front.emit({
    type: 'run.finished',
    ...end,
    exitCode,
    verdicts: Object.fromEntries(found.map((stood) => [stood.node, stood.verdict])),
    tookMs: 0,
  })
  return exitCode
}

const outlet = { stdout: process.stdout, stderr: process.stderr, env: process.env, now: () => new Date() }

const viewKind = (output: Call['common']['output']) =>
  chooseView({
    output,
    stderrIsTty: process.stderr.isTTY === true,
    columns: process.stderr.columns,
    ci: Boolean(process.env.CI),
  })

const nextCommand = (found: NodeVerdict[], failures: Failure[]): string | undefined =>
  found.find((v) => v.failure?.hint)?.failure?.hint ?? failures.find((f) => f.hint)?.hint

/** Whether an installation was begun, or a machine booted, since the plan was made. */
const hasChanged = (found: readonly NodeVerdict[], begun: Record<NodeName, Begun>): boolean =>
  Object.values(begun).some(({ install, flipped }) => install !== 'no' || flipped) ||
  found.some(({ verdict }) => !LEFT_RUNNING.has(verdict))

/** Of nodes that run on; what waits in the other slot was begun by us, or waited before. */
const LEFT_RUNNING: ReadonlySet<Verdict> = new Set(['unchanged', 'refused', 'interrupted', 'installed-not-rebooted'])

function exitOf(driven: Driven, failures: Failure[], changed: boolean, stop: Stop): ExitCode {
  switch (driven.ended) {
    case 'stopped':
      return stoppedBy(stop.by())
    case 'broken':
      return exitCodeOf([driven.failure], changed)
    case 'done':
      return exitCodeOf(failures, changed)
  }
}

const hashOf = (values: unknown[]): string => createHash('sha256').update(JSON.stringify(values)).digest('hex')
