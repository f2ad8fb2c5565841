import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { preflightObjection } from '../../lab/compatibility.ts'

for (const [installer, host, objection] of [
  ['v1.13.9', 'v1.13.5', undefined],
  ['v1.13.9', 'v1.11.0', undefined],
  ['v1.13.9', 'v1.10.9', 'host version 1.10.9 is too old to upgrade to Talos 1.13.9'],
  ['v1.13.0', 'v1.14.3', undefined],
  ['v1.12.9', 'v1.14.0', 'host version 1.14.0 is too new to downgrade to Talos 1.12.9'],
  ['v1.12.9', 'v1.14.0-rc.1', 'host version 1.14.0 is too new to downgrade to Talos 1.12.9'],
  ['v1.15.0', 'v1.14.0', 'upgrades to version 1.15.0 are not supported'],
] as const) {
  test(`${installer} on ${host}: ${objection ?? 'accepted'}`, () => {
    assert.is(preflightObjection(installer, host), objection)
  })
}

test.run()
