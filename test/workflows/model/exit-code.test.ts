import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { EXITS } from '../../../workflows/model/exit-code.ts'

test('README tells of the exit codes what the code says of them', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8')
  const [, section = ''] = /### Exit codes\n([\s\S]*?)\n#/.exec(readme) ?? []
  const rows = [...section.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, means = '']) => [
    Number(code),
    means.replaceAll('`', ''),
  ])
  assert.equal(
    rows,
    Object.values(EXITS).map(({ code, means }) => [code, means]),
  )
})

test.run()
