import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The hash of all files in a work tree as they are now, committed or not, but for what git ignores. */
export function treeHash(root: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tree-hash-'))
  const git = (...argv: string[]): string => {
    const env = { ...process.env, GIT_INDEX_FILE: join(folder, 'index') }
    const { status, stdout, stderr } = spawnSync('git', argv, { cwd: root, env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`git ${argv[0]}: ${stderr}`)
    return stdout.trim()
  }
  try {
    git('read-tree', 'HEAD')
    git('add', '--all')
    return git('write-tree')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
