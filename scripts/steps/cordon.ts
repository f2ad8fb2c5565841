/**
 * Sees to it that the node takes no new pods, with our mark in the same patch. A node that is cordoned already is left as it is:
 * without our mark the cordon is somebody else's, and stays.
 */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { nodeObjection } from '../../workflows/plan/identity.ts'
import { asking, declaredNode, kubernetesName, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { otherMachine } from './other-machine.ts'
import { toldFirst } from './told-first.ts'

export const cordon =
  (world: World) =>
  async ({ plan }: Pick<NodeStepInput, 'plan'>, context: StepContext): Promise<Result<void>> => {
    const name = kubernetesName(plan)
    const declared = declaredNode(world, plan.node)
    const options = asking(world, plan, context)
    const told = await world.sight.nodes(options)
    // a Node that is not well is read
    const isWell = told.ok && told.value.some((node) => node.name === name && node.ready && !node.unschedulable)
    const read = toldFirst(isWell ? told.value : undefined, () => world.kubernetes.nodes(options))
    const { met, seen } = await watch(context, {
      what: `${plan.node} to be cordoned`,
      look: async (): Promise<Result<boolean>> => {
        const nodes = await read()
        if (!nodes.ok) return nodes
        const before = nodes.value.find((node) => node.name === name)
        const known = before?.ready ? before.bootId : undefined
        const machine = await world.talos.identity(declared, {
          ...reading(world, context),
          ...(known !== undefined && { known }),
        })
        const why = machine.ok
          ? ((await otherMachine(world, plan, machine.value.bootId, context)) ??
            nodeObjection(declared, name, machine.value, nodes.value))
          : undefined
        if (why) return { ok: false, failure: why }
        if (before === undefined)
          return { ok: false, failure: failure('cordon-failed', { detail: 'Kubernetes has no such Node' }) }
        if (before.unschedulable) return { ok: true, value: true }
        const patched = await world.kubernetes.cordon(before, { run: world.run, at: new Date().toISOString() }, options)
        return patched.ok ? { ok: true, value: patched.value === 'done' } : patched
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

/** What says by itself why a node could not be cordoned. */
const PASSED_ON: ReadonlySet<Failure['reason']> = new Set([
  'kubernetes-forbidden',
  'kubernetes-node-unknown',
  'other-node-than-declared',
])

const mayPass = (reason: string): boolean => reason === 'kubernetes-unreachable'
