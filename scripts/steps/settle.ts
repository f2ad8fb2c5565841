/**
 * Waits until Kubernetes finds the node ready at the version that its kubelet had, without a cordon of Talos' own, and
 * with everything ready that runs on it whatever happens: static pods and the pods of DaemonSets. All of that has to hold
 * for the soak without a break, as streams tell it; the last word is a read. What was unwell before the run is told, and not waited
 * for. A machine may have got another name with its boot; then it is another Node that counts.
 */
import type { NodeStepInput, SettleOutput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubeNode } from '../../workflows/model/kubernetes.ts'
import type { NodeFacts } from '../../workflows/model/observation.ts'
import { registeredAnew } from '../../workflows/plan/identity.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { settling } from '../../workflows/plan/unwell.ts'
import type { Sight } from '../cluster/sight.ts'
import { asking, declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const settle =
  (world: World) =>
  async ({ plan, bootId }: NodeStepInput, context: StepContext): Promise<Result<SettleOutput>> => {
    const { kubernetes, before } = plan
    if (kubernetes === undefined) return { ok: true, value: { asBefore: [] } }
    const { soakMs } = world.cluster.operations.upgrade
    let since: number | undefined
    let name = kubernetes.name
    // the boot that it left tells nothing of the one that it is in, nor does what an earlier process saw
    const isOld = bootId === before.bootId || context.begunBefore || context.isStale()
    let machine: Machine | undefined = bootId === undefined || isOld ? undefined : { bootId }
    /** Its Node, under whatever name its kubelet registered in this boot. */
    const own = async (nodes: readonly KubeNode[]): Promise<KubeNode | undefined> => {
      const node = nodes.find((one) => one.name === name)
      // its kubelet may tell of one more boot than was seen
      if (machine === undefined || ![machine.bootId, before.bootId, undefined].includes(node?.bootId))
        machine = (await identityOf(world, plan, context)) ?? machine
      if (machine === undefined || node?.bootId === machine.bootId) return node
      const now = registeredAnew(declaredNode(world, plan.node), name, machine, nodes)
      if (now?.bootId !== machine.bootId) return node
      name = now.name
      context.notice(`${kubernetes.name} is ${name} in Kubernetes since this boot`)
      return now
    }
    const look = async ({ nodes: all, podsOn }: Sight): Promise<ReturnType<typeof settling>> => {
      const options = asking(world, plan, context)
      const silent = ({ failure: why }: { failure: Failure }) => ({ missing: why.detail ?? why.reason, asBefore: [] })
      const nodes = await all(options)
      if (!nodes.ok) return silent(nodes)
      const node = await own(nodes.value)
      const seen = { node, ...(machine === undefined ? {} : { bootId: machine.bootId }) }
      // while the Node itself is not well its pods need not be asked for
      const alone = settling({ ...seen, pods: [] }, kubernetes, 'worker')
      if (alone.missing !== '' || node?.ready !== true) return alone
      const pods = await podsOn(name, options)
      return pods.ok ? settling({ ...seen, pods: pods.value }, kubernetes, plan.role) : silent(pods)
    }
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be ready in Kubernetes${soakMs > 0 ? `, for ${soakMs / 1000} s` : ''}`,
      look: async () => {
        const told = await look(world.sight)
        if (told.missing === '') since ??= performance.now()
        const isOver = since !== undefined && performance.now() - since >= soakMs
        const found = told.missing === '' && isOver ? await look(world.kubernetes) : told
        if (found.missing !== '') since = undefined
        return { ...found, isOver }
      },
      until: ({ missing, isOver }) => missing === '' && isOver,
      say: ({ missing }) => (missing === '' ? 'ready' : `not ready: ${missing}`),
      deadlineMs: world.cluster.operations.deadlines.readyMs + soakMs,
      everyMs: 200,
    })
    if (met) return { ok: true, value: { asBefore: seen.asBefore } }
    return {
      ok: false,
      failure: failure('kubernetes-not-ready', {
        detail: seen.missing === '' ? 'not ready for long enough' : `not ready: ${seen.missing}`,
        hint: `kubectl describe node ${name}`,
      }),
    }
  }

type Machine = Pick<NodeFacts, 'bootId'>

async function identityOf(world: World, plan: NodePlan, context: StepContext): Promise<Machine | undefined> {
  const said = await world.talos.identity(declaredNode(world, plan.node), reading(world, context))
  return said.ok ? said.value : undefined
}
