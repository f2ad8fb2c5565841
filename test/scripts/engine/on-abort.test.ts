import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { onAbort } from '../../../scripts/engine/on-abort.ts'

test('is heard once by all who listen still, however many, and at once where it was before', async () => {
  const warnings: string[] = []
  const warn = ({ name }: Error) => warnings.push(name)
  process.on('warning', warn)
  const abort = new AbortController()
  let heard = 0
  const hearNoMore = Array.from({ length: 40 }, () => onAbort(abort.signal, () => (heard += 1)))
  // a warning is told a turn later
  await new Promise(setImmediate)
  process.off('warning', warn)
  assert.equal(warnings, [])
  for (const stop of hearNoMore.slice(30)) stop()
  abort.abort()
  assert.is(heard, 30)
  onAbort(abort.signal, () => (heard += 1))
  onAbort(undefined, () => (heard += 1))()
  assert.is(heard, 31)
})

test.run()
