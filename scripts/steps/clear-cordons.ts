/** Lifts the cordons of runs that no longer exist, on whatever node they are: nobody else will. */
import type { ClearInput } from '../../workflows/machines/cluster.ts'
import type { Result } from '../../workflows/model/failure.ts'
import { reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { liftCordon } from './uncordon.ts'

export const clearCordons =
  (world: World) =>
  async ({ cordons }: ClearInput, context: StepContext): Promise<Result<void>> => {
    for (const { node, run } of cordons) {
      const lifted = await liftCordon(world, { name: node, run, ...reading(world, context) }, context)
      if (!lifted.ok) return lifted
    }
    return { ok: true, value: undefined }
  }
