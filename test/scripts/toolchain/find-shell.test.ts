import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { findShell } from '../../../scripts/toolchain/find-shell.ts'

test('a bash is found although PATH does not name its folder, as in cron', () => {
  assert.ok(findShell({ PATH: '' }).ok)
})

test('where there is none, that is a reason in words', () => {
  const found = findShell({ PATH: '/nonexistent' }, '/nonexistent:/nowhere')
  assert.equal(found, {
    ok: false,
    failure: {
      reason: 'tool-missing',
      detail: 'bash is neither on PATH nor where systems keep it, and it starts the tools',
      hint: 'command -v bash # tells nothing until it is installed',
    },
  })
})

test.run()
