import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `npm test`, or `npm run test:full` with all that is left over for it. */
export type Tier = 'quick' | 'full'

const asksForItsTier = /^import .* from '[^']*\/in-full\.ts'$/m

/** The test files of a tier, tracked or about to be: a name says full, and a file in two sizes belongs to both. */
export function testFiles(root: string, tier: Tier): string[] {
  const list = (...flags: string[]): string[] => {
    const { status, stdout, stderr } = spawnSync('git', ['ls-files', ...flags, '--', 'test'], {
      cwd: root,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`git ls-files: ${stderr}`)
    return stdout.split('\n')
  }
  const deleted = new Set(list('--deleted'))
  const all = list('--cached', '--others', '--exclude-standard')
  const files = all.filter((file) => file.endsWith('.test.ts') && !deleted.has(file))
  const isFull = (file: string): boolean => file.endsWith('.full.test.ts')
  if (tier === 'quick') return files.filter((file) => !isFull(file))
  return files.filter((file) => isFull(file) || asksForItsTier.test(readFileSync(join(root, file), 'utf8')))
}
