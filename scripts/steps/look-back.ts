/** The last look of a run, at all its nodes together: whether they still stand as it left them. */
import type { LookBackInput } from '../../workflows/machines/cluster.ts'
import { controlPlanesOf, type NodeDeclaration } from '../../workflows/model/cluster.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { NodeVerdict } from '../../workflows/model/verdict.ts'
import { votes } from '../../workflows/plan/etcd.ts'
import { machineObjection } from '../../workflows/plan/identity.ts'
import { lookBack as judged, type Sight, type Stood } from '../../workflows/plan/judge.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

/** A node that just returned answers through others only after their reconnect backoff (apid: up to 15 s). */
const PATIENCE_MS = 20_000

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
      deadlineMs: Math.min(PATIENCE_MS, world.cluster.operations.deadlines.etcdMs),
      everyMs: 500,
    })
    return { ok: true, value: seen }
  }

const newlyUnwell = (nodes: readonly Stood[], found: readonly NodeVerdict[]): NodeVerdict[] =>
  found.filter(({ failure: why }, index) => why !== undefined && nodes[index]?.failure === undefined)

async function look(world: World, nodes: readonly Stood[], context: StepContext): Promise<NodeVerdict[]> {
  const declared = await Promise.all(
    nodes.map(async ({ plan, verdict }) => {
      const node = declaredNode(world, plan.node)
      // whoever was found silent a moment ago costs a whole deadline
      return verdict !== 'unreachable' || (await answers(world, node, context)) ? [node] : []
    }),
  )
  const { lagBound } = world.cluster.operations.etcd
  const [facts, etcd] = await Promise.all([
    world.talos.observeNodes(declared.flat(), reading(world, context)),
    nodes.some(isVerifiedVoter)
      ? world.talos.observeEtcd(controlPlanesOf(world.cluster), reading(world, context))
      : undefined,
  ])
  const plans = nodes.map(({ plan }) => plan)
  // an address that was refused for it tells nothing of the machine that has it now
  const refused = nodes.flatMap(({ plan, failure: why }) =>
    why?.reason === 'other-node-than-declared' ? plan.node : [],
  )
  const own = Object.fromEntries(Object.entries(facts).filter(([node]) => !refused.includes(node)))
  return nodes.map((stood) => {
    const { node } = stood.plan
    const seen = facts[node]
    const other = seen?.reachable
      ? machineObjection(stood.plan, plans, seen.bootId, { cluster: world.cluster, nodes: { ...own, [node]: seen } })
      : undefined
    const sight: Result<Sight> = other
      ? { ok: false, failure: other }
      : seen?.reachable
        ? { ok: true, value: etcd && isVerifiedVoter(stood) ? { ...seen, votes: votes(node, etcd, lagBound) } : seen }
        : { ok: false, failure: seen?.failure ?? failure('node-unreachable', { node }) }
    return { node, ...judged(stood, sight) }
  })
}

/** how long a node may take to be asked through others whether it is there */
const GLANCE_MS = 5_000

/** A node behind others takes no knock of ours. */
async function answers(world: World, node: NodeDeclaration, context: StepContext): Promise<boolean> {
  if (await world.knocks(node, context.signal)) return true
  const { [node.name]: stage } = await world.talos.stages([node], { ...reading(world, context), timeoutMs: GLANCE_MS })
  return stage?.ok === true
}

/** Of a control plane that was left running nobody verified its member. */
const isVerifiedVoter = ({ plan, flipped }: Stood): boolean => plan.role === 'controlplane' && flipped
