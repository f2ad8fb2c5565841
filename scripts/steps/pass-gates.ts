/** Waits for the gates of operations.yaml, one after another, each with its own deadline. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import { failure, type Result } from '../../workflows/model/failure.ts'
import type { World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'

export const passGates =
  (world: World) =>
  async ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> => {
    for (const gate of world.cluster.operations.gates) {
      const deadline = performance.now() + gate.timeoutMs
      const { met, seen } = await watch(context, {
        what: `the gate "${gate.name}"`,
        look: () => {
          const { signal } = context
          const timeoutMs = Math.max(1_000, deadline - performance.now())
          return world.kubernetes.waitForGate(gate, { signal, timeoutMs, avoid: plan.address })
        },
        // kubectl waits itself; only an API server that went away is asked again
        until: (passed) => passed.ok || passed.failure.reason !== 'kubernetes-unreachable',
        deadlineMs: gate.timeoutMs,
        everyMs: 500,
      })
      if (met && seen.ok) continue
      const why = seen.ok ? '' : `: ${seen.failure.detail ?? seen.failure.reason}`
      return { ok: false, failure: failure('gate-not-met', { detail: `the gate "${gate.name}" is not met${why}` }) }
    }
    return { ok: true, value: undefined }
  }
