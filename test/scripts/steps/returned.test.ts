import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { World } from '../../../scripts/cluster/world.ts'
import { watchReturn } from '../../../scripts/steps/returned.ts'
import { failure } from '../../../workflows/model/failure.ts'
import { defaultOperations } from '../../support/default-operations.ts'
import { stepContext } from '../../support/step-context.ts'

const facts = { version: 'v1.13.9', bootId: 'after', stage: 'running', ready: true, unmet: [] }

/** A node that answers a knock from the n-th on, never where there is none; others ask for it by `byOthers`. */
const worldOf = (knocksFrom: number, byOthers: (signal: AbortSignal) => Promise<void>): World => {
  let knocks = 0
  return {
    cluster: { nodes: [{ name: 'a', address: '10.0.0.1', role: 'worker' }], operations: defaultOperations },
    knocks: async () => ++knocks >= knocksFrom,
    talos: {
      glance: async (_: object, { signal }: { signal: AbortSignal }) => {
        if (knocks >= knocksFrom) return { ok: true, value: facts }
        await byOthers(signal)
        return signal.aborted ? { ok: false, failure: failure('command-failed') } : { ok: true, value: facts }
      },
    },
  } as unknown as World
}
const returned = (world: World) =>
  watchReturn(world, 'a', stepContext(), { what: 'a to return', until: () => true, deadlineMs: 60_000 })

test('a node that is reached through others only is seen to return', async () => {
  assert.equal(await returned(worldOf(Number.POSITIVE_INFINITY, async () => {})), { met: true, glance: facts })
})

test('a question by others that hangs ends when the node answers a knock', async () => {
  const hangs = (signal: AbortSignal) => new Promise<void>((end) => signal.addEventListener('abort', () => end()))
  assert.equal(await returned(worldOf(3, hangs)), { met: true, glance: facts })
})

test.run()
