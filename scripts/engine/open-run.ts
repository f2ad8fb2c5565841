/**
 * What a run holds while it lasts, given back in reverse by `await using`: signals, the view, the report and the person's
 * own command, the folder, lock and Lease.
 */
import type { RunEvent } from '../../workflows/model/event.ts'
import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { finished } from '../../workflows/model/finished.ts'
import type { NodeVerdict } from '../../workflows/model/verdict.ts'
import type { Ending } from '../../workflows/plan/ending.ts'
import { leaseMs } from '../../workflows/plan/lease-ms.ts'
import type { Call } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { allThatIsDenied } from '../cluster/all-that-is-denied.ts'
import type { OpenCluster } from '../cluster/open-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'
import { chooseView } from '../view/choose.ts'
import { openView } from '../view/open-view.ts'
import { collectReport, writeReport } from '../view/report.ts'
import { tellAfter } from '../view/tell-after.ts'
import type { Waiter } from '../watch.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import { fromMemory, openRunFolder, prune, type RunPaths, runFolder } from './run-folder.ts'
import { createStop, listenForSignals, type Stop } from './stop.ts'
import { type Hold, takeHold } from './take-hold.ts'

export type OpenRun = AsyncDisposable & {
  call: Call
  session: OpenCluster
  /** where all runs of the cluster leave their traces */
  root: string
  stop: Stop
  /** from the first look on: what is seen before this process slept has expired */
  heartbeat: Heartbeat
  emit(event: RunEvent): void
  notice(text: string): void
  /** for what is waited for outside of steps */
  waiter(step: 'plan' | 'abandon'): Waiter
  /** Gives the run the name and the folder under which it is remembered, and reported of. */
  becomes(paths: RunPaths): void
  /** Makes the folder, and takes lock and Lease, until the run is given back. */
  hold(): Promise<Result<Hold>>
  /**
   * Gives lock and Lease back, and says the last word: whatever could not be given back, or written, is told before it. `told`
   * are the verdicts that are worth an event of their own.
   */
  end(ending: Ending & { told?: readonly NodeVerdict[] }): Promise<ExitCode>
}

/** Opens a run that is deaf to nothing from here on: a signal stops it safely. */
export async function openRun(session: OpenCluster, call: Call): Promise<OpenRun> {
  const { cluster, layout } = session
  const root = runFolder(layout.folder)
  const stop = createStop()
  const letGo = listenForSignals(stop)
  const heartbeat = startHeartbeat()
  const view = await openView(viewKind(call.common.output), outlet)
  const command = call.common.abandon ? `${call.command} --abandon` : call.command
  const report = collectReport(() => new Date(), { command, cluster: cluster.name })
  const { event: complete } = completeHints(cluster, layout, call.again)
  const openedAt = performance.now()
  let paths: RunPaths | undefined
  let held: Hold | undefined
  const tookMs = () => Math.round(performance.now() - openedAt)
  const emit = (event: RunEvent) => {
    const said = complete(event)
    report.handle(said)
    view.handle(said)
  }
  const notice = (text: string) => emit({ type: 'notice', text })
  const giveBack = async () => {
    const hold = held
    held = undefined
    await hold?.release({ signal: stop.forced, hurried: stop.requested.aborted })
    if (hold) fromMemory(() => prune(root, session.identity))
  }
  return {
    ...{ call, session, root, stop, heartbeat, emit, notice },
    waiter: (step) => ({
      signal: stop.requested,
      waiting: (what, last) => emit({ type: 'waiting', step, for: what, ...(last === undefined ? {} : { last }) }),
    }),
    becomes(own) {
      paths = own
    },
    async hold() {
      const opened = onDisk(() => openRunFolder(root))
      if (!opened.ok) return opened
      const taken = await takeHold({
        folder: root,
        command: `${command} of ${cluster.name}`,
        kubernetes: session.kubernetes,
        keepsLease: cluster.operations.access.lease === 'keep',
        durationMs: leaseMs(cluster.operations),
        signal: stop.requested,
        say: notice,
      })
      if (!taken.ok) return { ok: false, failure: await allThatIsDenied(session, taken.failure, stop.requested) }
      held = taken.value
      return taken
    },
    async end({ exitCode, verdicts, told = verdicts, failures, next }) {
      for (const verdict of told) emit({ type: 'verdict', ...verdict })
      await giveBack()
      const ends = { exitCode, failures, ...(next === undefined ? {} : { next }) }
      const byNode = Object.fromEntries(verdicts.map(({ node, verdict }) => [node, verdict]))
      const word = complete(finished({ ...ends, run: paths?.run ?? '', verdicts: byNode, tookMs: tookMs() }))
      report.handle(word)
      const file = paths?.report
      const written = file === undefined ? undefined : onDisk(() => writeReport(file, report.value(), session))
      if (written?.ok === false) notice(`there is no report: ${written.failure.detail}`)
      view.handle(word)
      return exitCode
    },
    async [Symbol.asyncDispose]() {
      try {
        await giveBack()
      } finally {
        await view.close()
        // whoever asked once has been waiting for this, too
        const signal = stop.requested.aborted ? stop.forced : stop.requested
        await tellAfter(call, report.value(), { ran: session, signal })
        heartbeat.stop()
        letGo()
      }
    },
  }
}

const outlet = { stdout: process.stdout, stderr: process.stderr, env: process.env, now: () => new Date() }

const viewKind = (output: Call['common']['output']) =>
  chooseView({
    output,
    stderrIsTty: process.stderr.isTTY === true,
    columns: process.stderr.columns,
    ci: Boolean(process.env.CI),
  })
