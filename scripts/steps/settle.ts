/**
 * Waits until Kubernetes finds the node ready at the version that its kubelet had, without a cordon of Talos' own, and
 * with everything ready that runs on it whatever happens: static pods and the pods of DaemonSets. All of that has to hold
 * for the soak without a break. A machine may have got another name with its boot; then it is another Node that counts.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { KubeNode, KubePod } from '../../workflows/model/kubernetes.ts'
import type { NodeFacts } from '../../workflows/model/observation.ts'
import { ownNodes } from '../../workflows/plan/identity.ts'
import type { NodePlan } from '../../workflows/plan/upgrade-plan.ts'
import type { StepContext } from '../engine/driver.ts'
import type { CallOptions } from '../kubernetes.ts'
import { watch } from '../watch.ts'
import { asking, declaredNode, reading, type World } from './world.ts'

export const settle =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    const { kubernetes } = plan
    if (kubernetes === undefined) return { ok: true, value: undefined }
    const { kubeletVersion } = kubernetes
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
      const read = await world.kubernetes.read(options)
      const now = read.ok ? ownNodes(declaredNode(world, plan.node), machine, read.value.nodes).node : undefined
      if (now === undefined || now.name === name || now.bootId !== machine.bootId) return node
      name = now.name
      context.notice(`${kubernetes.name} is ${name} in Kubernetes since this boot`)
      return { ok: true, value: now }
    }
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be ready in Kubernetes${soakMs > 0 ? `, for ${soakMs / 1000} s` : ''}`,
      look: async (): Promise<{ missing: string }> => {
        const options = asking(world, plan, context)
        const node = await own(options)
        const pods = await world.kubernetes.podsOn(name, options)
        const missing = (): string => {
          if (!node.ok) return node.failure.detail ?? node.failure.reason
          if (!pods.ok) return pods.failure.detail ?? pods.failure.reason
          if (!node.value) return 'there is no Node'
          if (!node.value.ready) return node.value.detail ?? 'its Node is not ready'
          if (machine && node.value.bootId !== undefined && node.value.bootId !== machine.bootId)
            return 'its kubelet has not registered since the boot'
          if (node.value.cordonedByTalos) return 'Talos has not lifted the cordon that it set for the upgrade'
          if (node.value.kubeletVersion !== kubeletVersion)
            return `its kubelet runs ${node.value.kubeletVersion}, not ${kubeletVersion}`
          const standing = pods.value.filter(staysWithNode)
          if (plan.role === 'controlplane' && !standing.some((pod) => pod.mirror)) return 'no static pod is there yet'
          return standing
            .filter((pod) => !pod.ready)
            .map((pod) => `${pod.namespace}/${pod.name}`)
            .join(', ')
        }
        const text = missing()
        if (text === '') since ??= performance.now()
        else since = undefined
        return { missing: text }
      },
      until: () => since !== undefined && performance.now() - since >= soakMs,
      say: ({ missing }) => (missing === '' ? 'ready' : `not ready: ${missing}`),
      deadlineMs: world.cluster.operations.deadlines.readyMs + soakMs,
      everyMs: 500,
    })
    if (met) return { ok: true, value: undefined }
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

const staysWithNode = (pod: KubePod): boolean =>
  !pod.terminating && (pod.mirror || pod.controller?.kind === 'DaemonSet')
