/** Lifts our cordon; where the node carries none of ours, there is nothing to do. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { asking, kubernetesName, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { liftCordon } from './lift-cordon.ts'

export const uncordon =
  (world: World) =>
  ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> =>
    liftCordon(world, { name: kubernetesName(plan), run: world.run, ...asking(world, plan, context) }, context)
