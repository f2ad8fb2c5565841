/**
 * A run from its first look to its report: lock, take up what an earlier process left, observe, plan, ask, drive, report.
 * A restart compares the inputs only and carries on with the stored plan before it looks whether anybody answers,
 * because a node that we just rebooted is down by our own doing.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ClusterContext, NodeVerdict } from '../workflows/machines/cluster.ts'
import { clusterMachine, verdicts } from '../workflows/machines/cluster.ts'
import { nodeMachine } from '../workflows/machines/node.ts'
import type { RunEvent } from '../workflows/model/event.ts'
import { EXIT_CODES, type ExitCode } from '../workflows/model/exit-code.ts'
import type { Failure } from '../workflows/model/failure.ts'
import { exitCodeOf } from '../workflows/plan/exit-code.ts'
import { summarize } from '../workflows/plan/summary.ts'
import { planUpgrade, type UpgradeWish } from '../workflows/plan/upgrade.ts'
import type { UpgradePlan } from '../workflows/plan/upgrade-plan.ts'
import { drive, unfinishedIntents } from './engine/driver.ts'
import { type Journal, openJournal } from './engine/journal.ts'
import { acquireLock, type Lock } from './engine/lock.ts'
import { waitForOrphan } from './engine/orphan.ts'
import {
  findUnfinishedRun,
  newRun,
  openRunFolder,
  prune,
  type RunPaths,
  recall,
  type UnfinishedRun,
} from './engine/run-folder.ts'
import { createStop, listenForSignals, type Stop } from './engine/stop.ts'
import { knock } from './knock.ts'
import { observe, type Session } from './session.ts'
import { upgradeSteps } from './steps/upgrade-steps.ts'
import type { World } from './steps/world.ts'
import { checkClient } from './tools/talosctl/check-client.ts'

export type Front = {
  emit(event: RunEvent): void
  /** asks a person; resolves to true at once where nobody can be asked */
  approve(plan: UpgradePlan): Promise<boolean>
  /** the command line that takes this run up again */
  again: string
  argv: string[]
  /** where the report is to be written, as soon as the run has a folder */
  reportTo(file: string): void
}

const machines = { node: nodeMachine }

/** Carries the wish out and resolves to the exit code; everything that is to be said goes through `front`. */
export async function carryOutUpgrade(session: Session, wish: UpgradeWish, front: Front): Promise<ExitCode> {
  const root = openRunFolder(session.folder)
  const locked = acquireLock(root, `upgrade of ${session.cluster.name}`)
  if (!locked.ok) return refuse(session, wish, front, [locked.failure])
  const { lock } = locked
  const stop = createStop()
  const deaf = listenForSignals(stop)
  try {
    if (lock.takenOverFrom) {
      const { command, pid, host, since } = lock.takenOverFrom
      front.emit({
        type: 'notice',
        text: `took over the stale lock of ${command} (pid ${pid} on ${host}, since ${since})`,
      })
    }
    return await carryOutLocked(session, wish, front, { root, lock, stop })
  } finally {
    deaf()
    lock.release()
    prune(root)
  }
}

type Held = { root: string; lock: Lock; stop: Stop }

async function carryOutLocked(session: Session, wish: UpgradeWish, front: Front, held: Held): Promise<ExitCode> {
  const inputs = hashOf([session.cluster, wish, clusterMachine.config, nodeMachine.config])
  const unfinished = findUnfinishedRun(held.root)
  if (unfinished?.record.inputs === inputs) return resume(session, front, held, unfinished)
  if (unfinished) await abandon(unfinished, front, held)

  const tooOld = checkClient(session.talosctl, wish.to)
  if (tooOld.length > 0) return refuse(session, wish, front, tooOld)
  const observed = await observe(session, wish.nodes)
  const planned = planUpgrade(session.cluster, observed, wish, recall(held.root))
  const paths = newRun(held.root, 'upgrade', new Date())
  front.reportTo(paths.report)
  if (!planned.ok) return refuse(session, wish, front, planned.failures, paths.run)
  const { plan } = planned
  if (plan.canary !== undefined && !(await front.approve(plan))) return EXIT_CODES.tryAgain
  const journal = openJournal(paths.journal)
  const at = new Date().toISOString()
  journal.append({
    type: 'run',
    v: 1,
    run: paths.run,
    command: 'upgrade',
    cluster: session.cluster.name,
    at,
    inputs,
    plan,
    argv: front.argv,
  })
  return run(session, front, held, { paths, journal, plan, resumed: false })
}

async function resume(session: Session, front: Front, held: Held, { paths, record }: UnfinishedRun): Promise<ExitCode> {
  front.reportTo(paths.report)
  const journal = openJournal(paths.journal)
  journal.append({ type: 'resumed', at: new Date().toISOString(), pid: process.pid })
  return run(session, front, held, { paths, journal, plan: record.plan as UpgradePlan, resumed: true })
}

/** Closes a run whose inputs are not today's, with its state in words; a command that it left behind is waited for. */
async function abandon({ paths, record }: UnfinishedRun, front: Front, { stop }: Held): Promise<void> {
  const journal = openJournal(paths.journal)
  try {
    const waiting = (what: string, last?: string) =>
      front.emit({ type: 'waiting', step: 'abandon', for: what, ...(last === undefined ? {} : { last }) })
    for (const intent of unfinishedIntents(journal.records).values()) {
      await waitForOrphan(intent.processFile, { mayEnd: intent.step !== 'install', signal: stop.requested, waiting })
    }
    const open = [...unfinishedIntents(journal.records).values()].map((i) => [i.node, i.step].filter(Boolean).join(' '))
    const state = open.length > 0 ? `begun and not seen to end: ${open.join(', ')}` : 'nothing was under way'
    journal.append({ type: 'end', at: new Date().toISOString(), how: 'abandoned', state })
    front.emit({
      type: 'notice',
      text: `abandoned ${record.run}, because the declaration or the flags changed since: ${state}`,
    })
  } finally {
    journal.close()
  }
}

type Begun = { paths: RunPaths; journal: Journal; plan: UpgradePlan; resumed: boolean }

async function run(
  session: Session,
  front: Front,
  held: Held,
  { paths, journal, plan, resumed }: Begun,
): Promise<ExitCode> {
  const startedAt = Date.now()
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
    acceptEtcdOutage: plan.acceptEtcdOutage,
    snapshots: join(held.root, 'snapshots'),
    run: paths.run,
    knocks: knock,
  }
  const driven = await drive({
    machines,
    root: clusterMachine,
    input: plan,
    steps: upgradeSteps(world),
    journal,
    processes: paths.processes,
    emit: front.emit,
    stop: held.stop,
    fence: held.lock.lost,
  })
  const context = driven.state.snapshot.context as ClusterContext
  const failures = [...context.failures, ...(driven.ended === 'broken' ? [driven.failure] : [])]
  const exitCode = driven.ended === 'stopped' ? stoppedBy(held.stop) : exitCodeOf(failures)
  if (driven.ended === 'done') {
    journal.append({ type: 'end', at: new Date().toISOString(), how: 'finished', exitCode })
  }
  journal.close()
  const found = verdicts(context)
  for (const { node, verdict, evidence, failure: why } of found) {
    front.emit({ type: 'verdict', node, verdict, evidence, ...(why ? { failure: why } : {}) })
  }
  const next = driven.ended === 'done' ? nextCommand(found, failures) : front.again
  front.emit({
    type: 'run.finished',
    run: paths.run,
    exitCode,
    verdicts: Object.fromEntries(found.map((v) => [v.node, v.verdict])),
    failures,
    tookMs: Date.now() - startedAt,
    ...(next ? { next } : {}),
  })
  return exitCode
}

/** Nothing was changed: every wished node is as it was, and every reason is said. */
function refuse({ cluster }: Session, wish: UpgradeWish, front: Front, failures: Failure[], run = ''): ExitCode {
  const exitCode = exitCodeOf(failures)
  const verdict = exitCode === EXIT_CODES.refused ? 'refused' : 'unchanged'
  const nodes = cluster.nodes.map((n) => n.name).filter((n) => !wish.nodes || wish.nodes.includes(n))
  const next = failures.find((f) => f.hint)?.hint
  front.emit({
    type: 'run.finished',
    run,
    exitCode,
    verdicts: Object.fromEntries(nodes.map((n) => [n, verdict])),
    failures,
    tookMs: 0,
    ...(next ? { next } : {}),
  })
  return exitCode
}

const nextCommand = (found: NodeVerdict[], failures: Failure[]): string | undefined =>
  found.find((v) => v.failure?.hint)?.failure?.hint ?? failures.find((f) => f.hint)?.hint

const stoppedBy = (stop: Stop): ExitCode => (stop.by() === 'SIGTERM' ? EXIT_CODES.terminated : EXIT_CODES.interrupted)

const hashOf = (values: unknown[]): string => createHash('sha256').update(JSON.stringify(values)).digest('hex')
