import { EXIT_CODES, type ExitCode } from '../workflows/model/exit-code.ts'
import { type Call, reject } from './command.ts'
import { redact } from './redact.ts'
import { observe, openSession } from './session.ts'
import { paintFor } from './view/paint.ts'
import { statusTable } from './view/status-table.ts'

/**
 * Observes a cluster and prints what was seen: a table, or with `--output json` the observation itself. A node that does
 * not answer is a finding and no failure; only a cluster of which nothing answers can not be looked at (69).
 */
export async function showStatus(call: Call): Promise<ExitCode> {
  const session = await openSession(call)
  if (!session.ok) return reject(session.failure, call.common)
  const observation = await observe(session.value, call.nodes)
  const { output } = call.common
  if (output === 'json') {
    const clean = (_key: string, value: unknown) => (typeof value === 'string' ? redact(value) : value)
    process.stdout.write(`${JSON.stringify({ v: 1, cluster: call.cluster.name, ...observation }, clean)}\n`)
  } else if (output !== 'quiet') {
    process.stdout.write(redact(statusTable(session.value.cluster, observation, paintFor(process.stdout, process.env))))
  }
  return Object.values(observation.nodes).some(({ reachable }) => reachable) ? EXIT_CODES.done : EXIT_CODES.unavailable
}
