/**
 * `npm run test:full [-- --share <k>/<n>|auto] [--anew] [--write-times] [<part of a path> …]`: the tests that `npm test`
 * leaves over, for hours if need be. Each result is kept for as long as the tree is the same, so that the same command goes
 * on where it was stopped; `--anew` forgets them. A share takes ten minutes at most; `auto` takes the one whose turn it is
 * by the number of commits. The last line is always `N passed, N failed`, of what ran and of what was kept.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { toolCache } from '../scripts/toolchain/tool-cache.ts'
import { runFull } from './support/run-full.ts'
import { runTests } from './support/run-tests.ts'
import { testEnvironment } from './support/test-environment.ts'

const root = join(import.meta.dirname, '..')
process.chdir(root)

await runTests(async ({ signal, say, tmpdir }) => {
  const { values, positionals: words } = parseArgs({
    allowPositionals: true,
    options: {
      share: { type: 'string' },
      anew: { type: 'boolean', default: false },
      'write-times': { type: 'boolean', default: false },
    },
  })
  const { share, anew, 'write-times': writesTimes } = values
  return runFull(
    { words, anew, writesTimes, ...(share === undefined ? {} : { share }) },
    {
      root,
      folder: join(toolCache(process.env), '../tests'),
      environment: () => testEnvironment(root, signal, tmpdir),
      signal,
      say,
    },
  )
})
