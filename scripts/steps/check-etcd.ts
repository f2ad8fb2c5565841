/** The gate: every other control plane is up and votes, nothing is wrong with etcd, and quorum outlasts the reboot. */
import type { GateOutput, NodeStepInput } from '../../workflows/machines/node.ts'
import { controlPlanesOf } from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { leads, memberCount } from '../../workflows/plan/etcd.ts'
import { gateObjections, isDecided } from '../../workflows/plan/gate.ts'
import { RECONNECT_MS } from '../cluster/reconnect-ms.ts'
import { reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const checkEtcd =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<GateOutput>> => {
    const { met, seen } = await watch(context, {
      what: `etcd to bear the loss of ${plan.node}`,
      look: () => look(world, plan.node, context),
      until: ({ failures }) => isDecided(failures),
      say: ({ failures }) => failures.map((f) => [f.node, f.detail ?? f.reason].filter(Boolean).join(' ')).join('; '),
      deadlineMs: Math.min(RECONNECT_MS, world.cluster.operations.deadlines.etcdMs),
      everyMs: 500,
    })
    const [first, ...others] = seen.failures
    if (met && !first) return { ok: true, value: { leads: seen.leads } }
    const more = others.length > 0 ? ` (and ${others.map((f) => f.reason).join(', ')})` : ''
    return {
      ok: false,
      failure: { ...(first ?? failure('bug')), detail: `${first?.node ?? 'etcd'}: ${first?.detail ?? ''}${more}` },
    }
  }

/** Why the node may not go down now, and whether it leads others. */
async function look(world: World, node: string, context: StepContext): Promise<GateOutput & { failures: Failure[] }> {
  const { cluster, talos } = world
  const controlPlanes = controlPlanesOf(cluster)
  const stages = await talos.stages(controlPlanes, reading(world, context))
  const known = Object.fromEntries(
    Object.entries(stages).flatMap(([name, stage]): [string, Failure | 'runs'][] => {
      if (!stage.ok) return [[name, stage.failure]]
      // a machine is ready when all of its services are
      return stage.value.stage === 'running' && stage.value.ready ? [[name, 'runs']] : []
    }),
  )
  const etcd = await talos.observeEtcd(controlPlanes, { ...reading(world, context), known })
  const { [node]: _, ...others } = stages
  const policy = { lagBound: cluster.operations.etcd.lagBound, acceptOutage: world.acceptEtcdOutage }
  return {
    failures: gateObjections({ node, others, etcd, policy }),
    // a single member has nobody to hand over to, and the call fails there
    leads: leads(node, etcd) && memberCount(etcd) > 1,
  }
}
