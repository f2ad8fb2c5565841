/**
 * Sees to it that the node takes no new pods, with our mark in the same patch. A node that is cordoned already is left as it is:
 * without our mark the cordon is somebody else's, and stays.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { KubeNode } from '../../workflows/model/kubernetes.ts'
import type { NodeFacts } from '../../workflows/model/observation.ts'
import { ownNodes } from '../../workflows/plan/identity.ts'
import type { NodePlan } from '../../workflows/plan/plan.ts'
import { asking, declaredNode, kubernetesName, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { otherMachine } from './other-machine.ts'

export const cordon =
  (world: World) =>
  async ({ plan }: Pick<NodeStepInput, 'plan'>, context: StepContext): Promise<Result<void>> => {
    const name = kubernetesName(plan)
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be cordoned`,
      look: async (): Promise<Result<boolean>> => {
        const options = asking(world, plan, context)
        const [before, machine] = await Promise.all([
          world.kubernetes.node(name, options),
          world.talos.identity(declaredNode(world, plan.node), reading(world, context)),
        ])
        if (!before.ok) return before
        const other = machine.ok ? await whyNotIts(world, plan, before.value, machine.value, context) : undefined
        if (other) return { ok: false, failure: other }
        if (!before.value)
          return { ok: false, failure: failure('cordon-failed', { detail: 'Kubernetes has no such Node' }) }
        if (before.value.unschedulable) return { ok: true, value: true }
        const patched = await world.kubernetes.cordon(
          before.value,
          { run: world.run, at: new Date().toISOString() },
          options,
        )
        if (!patched.ok) return patched
        const after = await world.kubernetes.node(name, options)
        return after.ok ? { ok: true, value: after.value?.unschedulable === true } : after
      },
      until: (result) => (result.ok ? result.value : !mayPass(result.failure.reason)),
      say: (result) => (result.ok ? 'changed by somebody else meanwhile' : (result.failure.detail ?? '')),
      deadlineMs: world.cluster.operations.deadlines.observeMs,
      everyMs: 300,
    })
    if (met && seen.ok) return { ok: true, value: undefined }
    if (!seen.ok && PASSED_ON.has(seen.failure.reason)) return seen
    const detail = seen.ok ? 'somebody else changes the node all the time' : seen.failure.detail
    const hint = `kubectl get node ${name}`
    return { ok: false, failure: failure('cordon-failed', { ...(detail === undefined ? {} : { detail }), hint }) }
  }

/**
 * Why the Node is not that of the machine which is to go down. One that is not ready, or gone, or of another boot, may have been
 * left behind by it: it runs its pods under another name by now.
 */
async function whyNotIts(
  world: World,
  plan: NodePlan,
  node: KubeNode | undefined,
  machine: Pick<NodeFacts, 'bootId' | 'nodename'>,
  context: StepContext,
): Promise<Failure | undefined> {
  const stranger = await otherMachine(world, plan, machine.bootId, context)
  if (stranger) return stranger
  if (node?.ready && (node.bootId ?? machine.bootId) === machine.bootId) return undefined
  const nodes = await world.kubernetes.nodes(asking(world, plan, context))
  if (!nodes.ok) return undefined
  const name = ownNodes(declaredNode(world, plan.node), machine, nodes.value).node?.name
  const planned = kubernetesName(plan)
  if (name === undefined || name === planned) return undefined
  const detail = `it is ${name} in Kubernetes by now, and was ${planned} when that was planned`
  return failure('kubernetes-node-unknown', { detail, hint: 'run again' })
}

/** What says by itself why a node could not be cordoned. */
const PASSED_ON: ReadonlySet<Failure['reason']> = new Set([
  'kubernetes-forbidden',
  'kubernetes-node-unknown',
  'other-node-than-declared',
])

const mayPass = (reason: string): boolean => reason === 'kubernetes-unreachable'
