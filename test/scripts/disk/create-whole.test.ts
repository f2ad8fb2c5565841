import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createWhole } from '../../../scripts/disk/create-whole.ts'
import { acquireLock } from '../../../scripts/engine/lock.ts'

const test = suite<{ dir: string }>('files that are made once')

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'whole-'))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true }))

test('are whole, and as private as their folder', ({ dir }) => {
  const path = join(dir, 'a', 'b', 'keys.txt')
  assert.ok(createWhole(path, 'ä'.repeat(100_000), 0o600))
  assert.is(readFileSync(path, 'utf8').length, 100_000)
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.is(statSync(join(dir, 'a')).mode & 0o777, 0o700)
  assert.equal(readdirSync(join(dir, 'a', 'b')), ['keys.txt'])
})

test('are never put over another one, not even an empty one', ({ dir }) => {
  const path = join(dir, 'keys.txt')
  writeFileSync(path, '')
  assert.not.ok(createWhole(path, 'new', 0o600))
  assert.is(readFileSync(path, 'utf8'), '')
  assert.equal(readdirSync(dir), ['keys.txt'])
})

test('leave nothing behind where they can not be made', ({ dir }) => {
  writeFileSync(join(dir, 'file'), '')
  assert.throws(() => createWhole(join(dir, 'file', 'keys.txt'), 'new', 0o600), /ENOTDIR|EEXIST/)
  assert.equal(readdirSync(dir), ['file'])
})

test('are whole and never over another one where the file system has no hard links', ({ dir }) => {
  const path = join(dir, 'keys.txt')
  const { linkSync } = fs
  fs.linkSync = () => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'link' })
  }
  syncBuiltinESMExports()
  try {
    assert.ok(createWhole(path, 'first', 0o600))
    assert.not.ok(createWhole(path, 'second', 0o600))
    const lock = acquireLock(dir, 'upgrade of cluster-7')
    assert.ok(lock.ok)
    assert.not.ok(acquireLock(dir, 'upgrade of cluster-7').ok, 'a lock keeps others away there, too')
    lock.lock.release()
    assert.ok(acquireLock(dir, 'upgrade of cluster-7').ok)
  } finally {
    fs.linkSync = linkSync
    syncBuiltinESMExports()
  }
  assert.is(readFileSync(path, 'utf8'), 'first')
})

test.run()
