import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkSecrets } from '../../../../scripts/config/secrets/check-secrets.ts'
import { createRun } from '../../../../scripts/run.ts'
import { isDone } from '../../../../scripts/tools/ended.ts'
import { failureText } from '../../../../scripts/view/failure-text.ts'
import { type SecretsWorld, secretsWorld } from '../../../support/secrets-world.ts'

const test = suite<{ world: SecretsWorld; file: string; plain: string }>('checked secrets')

const identity = (world: SecretsWorld) => join(world.home, '.config/sops/age/keys.txt')

/** Encrypts a bundle in the world as a person would. */
function encrypt(world: SecretsWorld, file: string, plain: string): void {
  const argv = ['--config', join(world.dir, '.sops.yaml'), 'encrypt', '--filename-override', file]
  writeFileSync(file, world.sh('sops', [...argv, '--input-type', 'yaml', '--output-type', 'yaml'], plain))
}

function rule(world: SecretsWorld, more = ''): void {
  const recipient = world.sh('age-keygen', ['-y', identity(world)]).trim()
  world.write('.sops.yaml', `creation_rules:\n  - path_regex: talsecret\\.sops\\.yaml$\n    age: ${recipient}\n${more}`)
}

let plain = ''

test.before(async () => {
  const world = await secretsWorld()
  plain = world.sh('talhelper', ['gensecret'])
  world.remove()
})
test.before.each(async (context) => {
  const world = await secretsWorld()
  mkdirSync(join(world.home, '.config/sops/age'), { recursive: true })
  world.sh('age-keygen', ['-o', identity(world)])
  rule(world)
  const file = join(world.dir, 'clusters/cluster-7/talsecret.sops.yaml')
  mkdirSync(join(world.dir, 'clusters/cluster-7'), { recursive: true })
  encrypt(world, file, plain)
  Object.assign(context, { world, file, plain })
})
test.after.each(({ world }) => world.remove())

const check = ({ world, file }: { world: SecretsWorld; file: string }) =>
  checkSecrets({ file, dir: world.dir, tools: world.tools })

/** `reason: text` of every failure; no leaf of the bundle may be in there. */
async function wrong(context: { world: SecretsWorld; file: string; plain: string }): Promise<string[]> {
  const checked = await check(context)
  if (checked.ok) return []
  const told = checked.failure.map((failure) => `${failure.reason}: ${context.world.named(failureText(failure))}`)
  const leaves = context.plain.split('\n').flatMap((line) => line.match(/: (\S{8,})$/)?.[1] ?? [])
  assert.ok(leaves.length > 10)
  for (const leaf of leaves) assert.not.ok(told.join('\n').includes(leaf))
  return told
}

const SECRETS = '<dir>/clusters/cluster-7/talsecret.sops.yaml'
const log = 'git -C <dir>/clusters/cluster-7 log -p talsecret.sops.yaml'
const init = 'node --import tsx workflows/init.ts --cluster 7 --dir <dir>'

test('pass when all is well, and tell which cluster they are of', async (context) => {
  const { world, file, plain } = context
  const checked = await check(context)
  assert.ok(checked.ok, JSON.stringify(checked))
  const { caFingerprint, leaves, keys, openedBy } = checked.value
  assert.match(caFingerprint, /^[0-9a-f]{64}$/)
  assert.ok(plain.includes(leaves[0] ?? 'none'))
  assert.ok(leaves.length >= 14)
  assert.equal(keys, { SOPS_AGE_KEY_FILE: identity(world) })
  assert.is(openedBy, identity(world))
  // the same bundle encrypted again is the same cluster, another bundle is another one
  encrypt(world, file, plain)
  const again = await check(context)
  assert.is(again.ok && again.value.caFingerprint, caFingerprint)
  encrypt(world, file, world.sh('talhelper', ['gensecret']))
  const other = await check(context)
  assert.ok(other.ok && other.value.caFingerprint !== caFingerprint)
})

test('give talhelper the keys that it needs', async (context) => {
  const { world, file } = context
  const elsewhere = join(world.dir, 'age.key')
  writeFileSync(elsewhere, readFileSync(identity(world)), { mode: 0o600 })
  rmSync(identity(world))
  const checked = await check(context)
  assert.ok(checked.ok && checked.value.openedBy === elsewhere)
  const run = createRun({ ...world.tools, keys: checked.value.keys })
  const decrypted = await run({ tool: 'sops', argv: ['decrypt', file], timeoutMs: 20_000, mutates: false })
  assert.ok(isDone(decrypted), decrypted.stderr)
})

test('are missing', async (context) => {
  rmSync(context.file)
  assert.equal(await wrong(context), [`secrets-missing: there is no ${SECRETS} (${init})`])
})

test('are not encrypted at all', async (context) => {
  writeFileSync(context.file, context.plain)
  assert.equal(await wrong(context), [
    `secrets-not-encrypted: ${SECRETS}:1:1: it is not encrypted at all: it has no sops key (sops encrypt --in-place ${SECRETS})`,
  ])
})

test('have a value in plain text that somebody added', async (context) => {
  const { file } = context
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^( +)secret: .*$/m, '$1secret: c29tZXRoaW5nIHBsYWlu'))
  const told = await wrong(context)
  assert.is(told.length, 2)
  assert.is(told[0], `secrets-not-encrypted: ${SECRETS}:3:5: cluster.secret is not encrypted (${log})`)
  assert.match(told[1] ?? '', /^secrets-unreadable: /)
  assert.not.match(told.join(), /c29tZXRoaW5nIHBsYWlu/)
})

test('were encrypted by a rule for other files', async (context) => {
  const { world, file, plain } = context
  rule(world, '    encrypted_regex: ^(data|stringData)$\n')
  encrypt(world, file, plain)
  const told = await wrong(context)
  assert.is(told.length, 5)
  const again = `sops decrypt ${SECRETS} | sops --config <dir>/.sops.yaml encrypt --filename-override ${SECRETS} --output ${SECRETS}.new && mv ${SECRETS}.new ${SECRETS}`
  assert.is(
    told[0],
    `secrets-not-encrypted: ${SECRETS}:2:5: cluster.id is not encrypted, because encrypted_regex is ^(data|stringData)$ (as in <dir>/.sops.yaml:2:5: creation_rules[0]) (take encrypted_regex out of the rule, then: ${again})`,
  )
  assert.is(told[1], `secrets-not-encrypted: ${SECRETS}:3:5: cluster.secret is not encrypted`)
  assert.match(told[4] ?? '', /is not encrypted, nor are 9 more$/)
  // and the advice works as it stands
  rule(world)
  const env = { ...world.env, SOPS_AGE_KEY_FILE: identity(world) }
  const typed = spawnSync('sh', ['-c', again.replaceAll('<dir>', world.dir)], {
    env,
    cwd: world.home,
    encoding: 'utf8',
  })
  assert.is(typed.status, 0, typed.stderr)
  assert.equal(await wrong(context), [])
})

test('are encrypted whole where only encrypted values count for the MAC', async (context) => {
  const { world, file, plain } = context
  rule(world, '    mac_only_encrypted: true\n')
  encrypt(world, file, plain)
  assert.match(readFileSync(file, 'utf8'), /mac_only_encrypted: true/)
  assert.equal(await wrong(context), [])
  swapTokens(file)
  assert.match((await wrong(context)).join('\n'), /^secrets-unreadable: .*: one of its values can not be decrypted/)
})

/** Two encrypted values change places: both can be read by anybody, and belong to other keys. */
function swapTokens(file: string): void {
  const text = readFileSync(file, 'utf8')
  const [id, secret] = ['id', 'secret'].map((key) => new RegExp(`^ +${key}: (.*)$`, 'm').exec(text)?.[1] ?? '')
  writeFileSync(
    file,
    text
      .replace(id ?? '', '#')
      .replace(secret ?? '', id ?? '')
      .replace('#', secret ?? ''),
  )
}

test('had a value removed after they were encrypted', async (context) => {
  const { file } = context
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^ +id: .*\n/m, ''))
  assert.equal(await wrong(context), [
    `secrets-unreadable: ${SECRETS}: its MAC does not match: a value was changed, added or removed after it was encrypted (${log})`,
  ])
})

test('had a value moved to another key', async (context) => {
  swapTokens(context.file)
  assert.equal(await wrong(context), [
    `secrets-unreadable: ${SECRETS}: one of its values can not be decrypted: it was damaged, or moved to another key (${log})`,
  ])
})

test('lost their MAC', async (context) => {
  const { file } = context
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^ +mac: .*\n/m, ''))
  assert.equal(await wrong(context), [
    `secrets-unreadable: ${SECRETS}: its MAC does not match: a value was changed, added or removed after it was encrypted (${log})`,
  ])
})

test('are not all that Talos needs', async (context) => {
  const { world, file, plain } = context
  encrypt(world, file, plain.replace(/^trustdinfo:\n.*\n/m, ''))
  assert.equal(await wrong(context), [
    `secrets-unreadable: ${SECRETS}: what is encrypted in it is not complete: trustdinfo.token is missing (sops edit ${SECRETS})`,
  ])
})

test('are for somebody else', async (context) => {
  rmSync(identity(context.world))
  context.world.sh('age-keygen', ['-o', identity(context.world)])
  assert.equal(await wrong(context), [
    'identity-missing: no age identity opens it: it is encrypted for <age1>; found <age1> in <home>/.config/sops/age/keys.txt (name the file with the identity in SOPS_AGE_KEY_FILE)',
  ])
})

test('are opened by one identity of many, not by a stale one that comes first', async (context) => {
  const { world } = context
  const stale = join(world.home, 'stale.txt')
  world.sh('age-keygen', ['-o', stale])
  world.env.SOPS_AGE_KEY_FILE = stale
  const checked = await check(context)
  assert.ok(checked.ok && checked.value.openedBy === identity(world))
  world.env.SOPS_AGE_KEY = readFileSync(identity(world), 'utf8')
  rmSync(identity(world))
  const byText = await check(context)
  assert.ok(byText.ok && byText.value.openedBy === 'SOPS_AGE_KEY')
  assert.equal(byText.ok && byText.value.keys, {})
})

test('are opened by what a command prints', async (context) => {
  const { world } = context
  const kept = join(world.home, 'kept.txt')
  writeFileSync(kept, readFileSync(identity(world)), { mode: 0o600 })
  rmSync(identity(world))
  world.env.SOPS_AGE_KEY_CMD = `cat ${kept}`
  assert.equal(await wrong(context), [])
  world.env.SOPS_AGE_KEY_CMD = 'true'
  assert.match((await wrong(context)).join(), /^identity-missing: .*: none of the keys that sops found opens it/)
})

test('have an identity that others may read', async (context) => {
  chmodSync(identity(context.world), 0o644)
  assert.equal(await wrong(context), [
    'identity-exposed: <home>/.config/sops/age/keys.txt may be read by others (its mode is 0644) (chmod 600 <home>/.config/sops/age/keys.txt)',
  ])
})

test('have an identity that git holds', async (context) => {
  const { world } = context
  world.write('age.key', readFileSync(identity(world), 'utf8'), 0o600)
  world.sh('git', ['add', '-f', 'age.key'])
  rmSync(identity(world))
  assert.equal(await wrong(context), [
    'secret-in-git: <dir>/age.key is in git: everyone with the repository can read the secrets, also later from its history (git -C <dir> rm --cached age.key)',
  ])
})

test('have no rule that would encrypt them again', async (context) => {
  const { world } = context
  world.write('.sops.yaml', 'creation_rules:\n  - path_regex: ^kubernetes/\n')
  assert.equal(await wrong(context), [
    `sops-rule-missing: none of the 1 rules of <dir>/.sops.yaml fits ${SECRETS} (${init})`,
  ])
  rmSync(join(world.dir, '.sops.yaml'))
  assert.equal(await wrong(context), [
    `sops-rule-missing: there is no .sops.yaml for ${SECRETS}, in its folder or above (${init})`,
  ])
  world.write('.sops.yaml', 'creation_rules: [\n')
  assert.match((await wrong(context))[0] ?? '', /^declaration-invalid: <dir>\/.sops.yaml:2:1: /)
})

test('of a PGP key that nobody here has are left to sops, which says so', async (context) => {
  const { world, file } = context
  // what sops would write for a PGP key, and nobody here has one
  const pgp =
    '    pgp:\n        - fp: 0123456789ABCDEF0123456789ABCDEF01234567\n          created_at: "2026-11-21T03:46:51Z"\n          enc: x\n'
  const text = readFileSync(file, 'utf8').replace(/^ {4}age:\n(?: {8}.*\n)+/m, pgp)
  writeFileSync(file, text)
  rmSync(identity(world))
  assert.equal(await wrong(context), [
    `identity-missing: ${SECRETS}: none of the keys that sops found opens it (sops decrypt ${SECRETS} > /dev/null)`,
  ])
  assert.ok(world.recorded().split('\n').at(-2)?.startsWith('sops\0--config\0'))
})

test('are told all that is wrong at once', async (context) => {
  const { world, file } = context
  world.write('.sops.yaml', 'creation_rules: []\n')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^( +)id: .*$/m, '$1id: plain-as-it-is'))
  chmodSync(identity(world), 0o640)
  assert.equal(
    (await wrong(context)).map((text) => text.split(':')[0]),
    ['secrets-not-encrypted', 'sops-rule-missing', 'identity-exposed'],
  )
  assert.ok(existsSync(file))
})

test.run()
