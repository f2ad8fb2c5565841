import type { ChalkInstance } from 'chalk'
import type { Cluster } from '../../workflows/model/cluster.ts'
import { EXIT_CODES, type ExitCode } from '../../workflows/model/exit-code.ts'
import type { KubernetesObservation } from '../../workflows/model/kubernetes.ts'
import type { Observation } from '../../workflows/model/observation.ts'
import { planDrain } from '../../workflows/plan/drain/plan-drains.ts'
import { plannedDrain } from '../../workflows/plan/drain/planned-drain.ts'
import { identityObjections, ownNodes } from '../../workflows/plan/identity.ts'
import type { Call } from '../cli/command.ts'
import { completeHints } from '../cli/complete-hints.ts'
import { reject } from '../cli/reject.ts'
import { observe } from '../cluster/observe.ts'
import { openCluster } from '../cluster/open-cluster.ts'
import { deniedOnce } from '../tools/talosctl/role-failures.ts'
import { drainLines } from './drain-lines.ts'
import { paintFor } from './paint.ts'
import { redact, redactValue } from './redact.ts'
import { statusTable } from './status-table.ts'

/**
 * Observes a cluster and prints what was seen: a table, or with `--output json` the observation itself. A node that does
 * not answer is a finding and no failure; only a cluster of which nothing answers can not be looked at (69), nor can drains be
 * forecast where Kubernetes does not answer.
 */
export async function showStatus(call: Call, { drain }: { drain: boolean }): Promise<ExitCode> {
  const opened = await openCluster(call, { changes: false })
  const { failure: complete } = completeHints(call.cluster, call.layout, call.again)
  if (!opened.ok) return reject(opened.failure.map(complete), call.common)
  const observation = await observe(opened.value, call.nodes, { drains: drain })
  const silent = Object.values(observation.nodes).flatMap((seen) => (seen.reachable ? [] : [seen.failure]))
  const denied = deniedOnce(silent, { roles: opened.value.roles, talosconfig: call.layout.talosconfig })
  if (denied !== silent) return reject(denied.map(complete), call.common)
  const { output } = call.common
  const warnings = identityObjections(opened.value.cluster, observation).map(complete)
  if (output === 'json') {
    process.stdout.write(
      `${JSON.stringify({ v: 1, cluster: call.cluster.name, ...observation, warnings, kubernetes: drain ? observation.kubernetes : shortened(observation.kubernetes) }, redactValue)}\n`,
    )
  } else if (output !== 'quiet') {
    const paint = paintFor(process.stdout, process.env)
    process.stdout.write(redact(statusTable(opened.value.cluster, observation, paint)))
    if (drain) process.stdout.write(redact(forecastText(opened.value.cluster, observation, paint)))
  }
  const isTold = Object.values(observation.nodes).some(({ reachable }) => reachable)
  // what was asked for is not told where Kubernetes does not answer
  return isTold && (!drain || observation.kubernetes.answers) ? EXIT_CODES.done : EXIT_CODES.unavailable
}

/** What a drain of each declared node would do now, whether or not anything is to be done to it. */
function forecastText(cluster: Cluster, { kubernetes, nodes: seen }: Observation, paint: ChalkInstance): string {
  // why Kubernetes does not answer stands below the table
  if (!kubernetes.answers) return ''
  const nodes = cluster.nodes.flatMap((declared) => {
    const facts = seen[declared.name]
    const { node } = ownNodes(declared, facts?.reachable ? facts : undefined, kubernetes.nodes)
    if (node === undefined) return []
    return [{ node: declared.name, drain: plannedDrain(planDrain(kubernetes, node, cluster, false)) }]
  })
  return `\n${drainLines(nodes, paint).join('\n')}\n`
}

/** Pods are many, and nobody but a drain asks for them. */
const shortened = (kubernetes: KubernetesObservation): object =>
  kubernetes.answers ? { answers: true, nodes: kubernetes.nodes } : kubernetes
