/** One state that does one thing: invokes the step of the same name and moves on by how it ended. */
import type { NodeName } from '../model/cluster.ts'
import { STEPS, type StepMeta } from '../model/step-facts.ts'
import type { StepName } from '../model/step-name.ts'
import type { NodePlan } from '../plan/plan.ts'

/** What a step is about: a node, in the boot that its plan saw; neither where it is about the cluster. */
export type Subject = { node?: NodeName; bootId?: string }

/** The subject of a step that is given this input. */
export function subjectOf(input: unknown): Subject {
  const { plan, node } = Object(input) as { plan?: Pick<NodePlan, 'node' | 'before'>; node?: NodeName }
  if (plan) return { node: plan.node, bootId: plan.before.bootId }
  return node === undefined ? {} : { node }
}

/** The event that tells a machine that what was found before has expired. */
export const RESUMED = 'resumed'

/** A state that invokes `name`; its input is what the machine's context says it needs. */
export const step = <Name extends StepName, Input, Done, Failed>(
  name: Name,
  options: { input: Input; onDone: Done; onError: Failed },
) => ({
  meta: { step: name, ...STEPS[name] } satisfies StepMeta,
  invoke: { id: name, src: name, ...options },
})
