import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leaseMs } from '../../../workflows/plan/lease-ms.ts'
import { defaultOperations } from '../../support/default-operations.ts'

test('a Lease outlasts the longest phase by five minutes, whichever that is', () => {
  const { deadlines, drain } = defaultOperations
  const longest = Math.max(...Object.values(deadlines), drain.timeoutMs, drain.detachMs)
  assert.is(leaseMs(defaultOperations), longest + 300_000)
  for (const name of Object.keys(deadlines))
    assert.is(leaseMs({ ...defaultOperations, deadlines: { ...deadlines, [name]: 9e9 } }), 9e9 + 300_000, name)
  for (const name of ['timeoutMs', 'detachMs'])
    assert.is(leaseMs({ ...defaultOperations, drain: { ...drain, [name]: 9e9 } }), 9e9 + 300_000, name)
})

test.run()
