import type { ExitCode } from '../../workflows/model/exit-code.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import { finished } from '../../workflows/model/finished.ts'
import type { Call } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { reject } from '../cli/reject.ts'
import { collectReport } from '../view/report.ts'
import { tellAfter } from '../view/tell-after.ts'
import { createStop, listenForSignals } from './stop.ts'

/** Ends a command that nothing could be asked with; a run is told of, whatever kept it from beginning. */
export async function rejectUnopened(call: Call, found: readonly Failure[]): Promise<ExitCode> {
  const failures = found.map(completeHints(call.cluster, call.layout, call.again).failure)
  const exitCode = reject(failures, call.common)
  if (call.common.dryRun) return exitCode
  const report = collectReport(() => new Date(), { command: call.command, cluster: call.cluster.name })
  report.handle(finished({ exitCode, failures }))
  // the last word is said: a signal from here on ends the person's command and nothing else
  const stop = createStop()
  const letGo = listenForSignals(stop)
  await tellAfter(call, report.value(), { signal: stop.requested })
  letGo()
  return exitCode
}
