/** The last look of a run, at all its nodes together: whether they still stand as it left them. */
import type { LookBackInput } from '../../workflows/machines/cluster.ts'
import { controlPlanesOf, type NodeDeclaration } from '../../workflows/model/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import type { NodeVerdict } from '../../workflows/model/verdict.ts'
import type { Stood } from '../../workflows/plan/judge.ts'
import { lookBackAtAll, newlyUnwell, wasVerifiedVoter } from '../../workflows/plan/look-back-at-all.ts'
import { RECONNECT_MS } from '../cluster/reconnect-ms.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const lookBack =
  (world: World) =>
  async ({ nodes }: LookBackInput, context: StepContext): Promise<Result<NodeVerdict[]>> => {
    const { seen } = await watch(context, {
      what: 'all nodes to stand as they were left',
      look: () => look(world, nodes, context),
      until: (found) => newlyUnwell(nodes, found).length === 0,
      say: (found) =>
        newlyUnwell(nodes, found)
          .map(({ node, failure: why }) => `${node} ${why?.detail ?? ''}`)
          .join('; '),
      deadlineMs: Math.min(RECONNECT_MS, world.cluster.operations.deadlines.etcdMs),
      everyMs: 500,
    })
    return { ok: true, value: seen }
  }

async function look(world: World, nodes: readonly Stood[], context: StepContext): Promise<NodeVerdict[]> {
  const declared = await Promise.all(
    nodes.map(async ({ plan, verdict }) => {
      const node = declaredNode(world, plan.node)
      // whoever was found silent a moment ago costs a whole deadline
      return verdict !== 'unreachable' || (await answers(world, node, context)) ? [node] : []
    }),
  )
  const { cluster, talos } = world
  const [seen, etcd] = await Promise.all([
    talos.observeNodes(declared.flat(), { ...reading(world, context), again: true }),
    nodes.some(wasVerifiedVoter) ? talos.observeEtcd(controlPlanesOf(cluster), reading(world, context)) : undefined,
  ])
  return lookBackAtAll(nodes, { cluster, nodes: seen, ...(etcd && { etcd }) })
}

/** how long a node may take to be asked through others whether it is there */
const GLANCE_MS = 5_000

/** A node behind others takes no knock of ours. */
async function answers(world: World, node: NodeDeclaration, context: StepContext): Promise<boolean> {
  if (await world.knocks(node, context.signal)) return true
  const { [node.name]: stage } = await world.talos.stages([node], { ...reading(world, context), timeoutMs: GLANCE_MS })
  return stage?.ok === true
}
