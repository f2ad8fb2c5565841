import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeFolder } from '../../../scripts/disk/make-folder.ts'

test('makes a folder with those around it, and leaves one that is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'make-folder-'))
  try {
    const path = join(folder, 'a/b/c')
    makeFolder(path, 0o700)
    makeFolder(path)
    assert.is(statSync(path).mode & 0o777, 0o700)
    writeFileSync(join(folder, 'file'), '')
    assert.throws(() => makeFolder(join(folder, 'file/d')), /ENOTDIR|EEXIST/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('ends where a folder can not be made although its parent is there', () => {
  if (!existsSync('/proc/self')) return
  assert.throws(() => makeFolder('/proc/no-such-folder/deeper'), /ENOENT|EACCES|EPERM/)
})

test.run()
