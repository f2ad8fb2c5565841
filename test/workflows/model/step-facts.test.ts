import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { STEPS, stepNamed } from '../../../workflows/model/step-facts.ts'

for (const [name, { writesSlot, takesDown, cutOff, changes, disruptive }] of Object.entries(STEPS))
  test(`${name} is cut off by no request where it writes a slot or takes its node down, and by each elsewhere`, () => {
    assert.is(cutOff === 'never', writesSlot || takesDown)
    assert.ok(changes || cutOff === 'at once')
    assert.ok(disruptive || !takesDown)
  })

test('knows nothing of a step that a journal of another version names', () => {
  for (const name of ['wipe', 'toString', undefined, 7]) assert.is(stepNamed(name), undefined)
  assert.is(stepNamed('upgrade')?.writesSlot, true)
})

test.run()
