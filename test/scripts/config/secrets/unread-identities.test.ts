/** A file with an identity that this user may not read is there all the same. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { unreadIdentities } from '../../../../scripts/config/secrets/find-identities.ts'
import { openIdentity } from '../../../../scripts/config/secrets/open-identity.ts'

/** As a user who may not read files of others: root may everywhere. */
async function asAnother<T>(work: () => T | Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(65534)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

const shut = process.getuid?.() === 0 ? 0o600 : 0

test('it is said whose it is, and not that none was found', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unread-'))
  chmodSync(folder, 0o755)
  const file = join(folder, 'age.txt')
  writeFileSync(file, '', { mode: shut })
  const env = { HOME: join(folder, 'none'), SOPS_AGE_KEY_FILE: file }
  const recipients = [`age1${'q'.repeat(58)}`]
  const opened = await asAnother(() =>
    openIdentity({ recipients, otherKeys: false, dir: folder, tools: { paths: {}, env } as never }),
  )
  const [why] = opened.ok ? [] : opened.failure
  assert.is(why?.reason, 'identity-missing')
  assert.match(why?.detail ?? '', new RegExp(`${file} .*EACCES`))
  assert.not.match(why?.detail ?? '', 'none was found')
  rmSync(folder, { recursive: true })
})

test('what is not there, or is no file, is no trouble', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unread-'))
  mkdirSync(join(folder, 'age.key'))
  assert.equal(unreadIdentities({ dir: folder, env: { HOME: folder, SOPS_AGE_KEY_FILE: join(folder, 'x') } }), [])
  rmSync(folder, { recursive: true })
})

test.run()
