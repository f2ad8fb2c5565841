/**
 * Waits until Kubernetes finds the node ready at the version that its kubelet had, without a cordon of Talos' own, and
 * with everything ready that runs on it whatever happens: static pods and the pods of DaemonSets. All of that has to hold
 * for the soak without a break. What was unwell before the run is told, and not waited for. A machine may have got another
 * name with its boot; then it is another Node that counts.
 */
import type { NodeStepInput, SettleOutput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubeNode } from '../../workflows/model/kubernetes.ts'
import type { NodeFacts } from '../../workflows/model/observation.ts'
import { registeredAnew } from '../../workflows/plan/identity.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { settling } from '../../workflows/plan/unwell.ts'
import type { CallOptions } from '../cluster/kubernetes.ts'
import { asking, declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const settle =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<SettleOutput>> => {
    const { kubernetes } = plan
    if (kubernetes === undefined) return { ok: true, value: { asBefore: [] } }
    const { soakMs } = world.cluster.operations.upgrade
    let since: number | undefined
    let name = kubernetes.name
    let machine: Machine | undefined
    /** Its Node, under whatever name its kubelet registered in this boot. */
    const own = async (options: CallOptions): Promise<Result<KubeNode | undefined>> => {
      const node = await world.kubernetes.node(name, options)
      if (!node.ok) return node
      if (machine === undefined || node.value?.bootId !== machine.bootId)
        machine = (await identityOf(world, plan, context)) ?? machine
      if (machine === undefined || node.value?.bootId === machine.bootId) return node
      const nodes = await world.kubernetes.nodes(options)
      const now = nodes.ok ? registeredAnew(declaredNode(world, plan.node), name, machine, nodes.value) : undefined
      if (now?.bootId !== machine.bootId) return node
      name = now.name
      context.notice(`${kubernetes.name} is ${name} in Kubernetes since this boot`)
      return { ok: true, value: now }
    }
    const look = async (): Promise<ReturnType<typeof settling>> => {
      const options = asking(world, plan, context)
      const silent = ({ failure: why }: { failure: Failure }) => ({ missing: why.detail ?? why.reason, asBefore: [] })
      const node = await own(options)
      if (!node.ok) return silent(node)
      const seen = { node: node.value, ...(machine === undefined ? {} : { bootId: machine.bootId }) }
      // while the Node itself is not well its pods need not be asked for
      const alone = settling({ ...seen, pods: [] }, kubernetes, 'worker')
      if (alone.missing !== '' || node.value?.ready !== true) return alone
      const pods = await world.kubernetes.podsOn(name, options)
      return pods.ok ? settling({ ...seen, pods: pods.value }, kubernetes, plan.role) : silent(pods)
    }
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be ready in Kubernetes${soakMs > 0 ? `, for ${soakMs / 1000} s` : ''}`,
      look: async () => {
        const found = await look()
        if (found.missing === '') since ??= performance.now()
        else since = undefined
        return found
      },
      until: () => since !== undefined && performance.now() - since >= soakMs,
      say: ({ missing }) => (missing === '' ? 'ready' : `not ready: ${missing}`),
      deadlineMs: world.cluster.operations.deadlines.readyMs + soakMs,
      everyMs: 500,
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

type Machine = Pick<NodeFacts, 'bootId' | 'nodename'>

async function identityOf(world: World, plan: NodePlan, context: StepContext): Promise<Machine | undefined> {
  const said = await world.talos.identity(declaredNode(world, plan.node), reading(world, context))
  return said.ok ? said.value : undefined
}
