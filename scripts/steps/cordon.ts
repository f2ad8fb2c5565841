/** Cordons the node, with our mark in the same patch. */
import type { NodeStepInput } from '../../workflows/machines/node.ts'
import type { Result } from '../../workflows/model/failure.ts'
import type { World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { ensureCordoned } from './ensure-cordoned.ts'

export const cordon =
  (world: World) =>
  ({ plan }: NodeStepInput, context: StepContext): Promise<Result<void>> =>
    ensureCordoned(world, plan, context)
