import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { contractOfVersion, isNewer } from '../../../../workflows/model/declaration/talos-contract.ts'

test('compares minor releases as numbers', () => {
  assert.is(contractOfVersion('v1.14.0-rc.1'), 'v1.14')
  assert.ok(isNewer('v1.10', 'v1.9'))
  assert.not.ok(isNewer('v1.9', 'v1.10'))
  assert.not.ok(isNewer('v1.13', 'v1.13'))
})

test.run()
