import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pathOf } from '../../../workflows/model/compatibility.ts'
import { changedSincePlan } from '../../../workflows/plan/changed-since-plan.ts'

const changed = (from: string, now: string, to: string, expected: string | undefined) =>
  test(`planned from ${from} to ${to}, and ${now} runs by now: ${expected ?? 'goes on'}`, () =>
    assert.is(
      changedSincePlan(
        { version: from },
        { to, how: pathOf(from) === 'legacy' ? 'one call' : 'write, then reboot' },
        now,
      )?.reason,
      expected,
    ))

changed('v1.13.5', 'v1.13.5', 'v1.13.9', undefined)
changed('v1.13.5', 'v1.13.7', 'v1.13.9', undefined)
changed('v1.13.5', 'v1.13.10', 'v1.13.9', 'downgrade')
changed('v1.13.5', 'v1.12.9', 'v1.14.1', 'hop-too-long')
changed('v1.13.5', 'v1.12.9', 'v1.13.9', 'wrong-version')
changed('v1.12.9', 'v1.13.5', 'v1.13.9', 'wrong-version')

test.run()
