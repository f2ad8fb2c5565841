import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../../../scripts/cluster/world.ts'
import { pullImage } from '../../../scripts/steps/pull-image.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { exitCodeOf } from '../../../workflows/plan/exit-code.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { stepContext } from '../../support/step-context.ts'
import { nodePlan } from '../../support/upgrade-plan.ts'

test('an image that a rule of the node refuses is refused with the rule, and with where the rules are', async () => {
  const denied = failure('image-refused', { node: 'a', detail: 'verification denied by matched rule (0002)' })
  const nodes = [{ name: 'a', address: '10.0.0.1', role: 'worker' }]
  const talos = { pull: async () => ({ ok: false, failure: denied }) }
  const world = { cluster: { nodes, operations: defaultOperations }, talos } as unknown as World
  const pulled = await pullImage(world)({ plan: nodePlan('a', 'worker') } as never, stepContext())
  assert.equal(pulled, { ok: false, failure: { ...denied, hint: 'talosctl -n a get imageverificationrules -o yaml' } })
  assert.is(exitCodeOf([denied]), 77)
})

test.run()
