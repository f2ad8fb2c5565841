import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { keepTalosconfig } from '../../../../scripts/config/placing/keep-talosconfig.ts'
import { resolveTool } from '../../../../scripts/toolchain/resolve-tool.ts'

type Context = { endpoints: string[]; nodes?: string[]; ca: string; crt: string; key: string }

const found = await resolveTool('talosctl-1.13')
if (!found.found) throw new Error(found.detail)
const talosctl = (...argv: string[]) => execFileSync(found.path, argv, { cwd: folder, stdio: 'pipe' })
const folder = mkdtempSync(join(tmpdir(), 'talosconfig-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const DAY_MS = 86_400_000

talosctl('gen', 'secrets', '-o', 'secrets.yaml')

/** As `talosctl gen config` writes it, with a client certificate of its own, good for a year. */
function generated(secrets = 'secrets.yaml'): Buffer {
  talosctl(
    'gen',
    'config',
    'c',
    'https://10.0.0.1:6443',
    '--with-secrets',
    secrets,
    '-t',
    'talosconfig',
    '-o',
    'made',
    '--force',
  )
  return readFileSync(join(folder, 'made'))
}

function changed(config: Buffer, change: (context: Context) => void): Buffer {
  const content = parse(config.toString()) as { contexts: { c: Context } }
  change(content.contexts.c)
  return Buffer.from(stringify(content))
}

const base64 = (file: string) => readFileSync(join(folder, file)).toString('base64')

/** The same with a client certificate that talosctl signs for these roles and hours. */
function signed(config: Buffer, roles: string, hours: number): Buffer {
  const { os } = (
    parse(readFileSync(join(folder, 'secrets.yaml'), 'utf8')) as { certs: { os: { crt: string; key: string } } }
  ).certs
  writeFileSync(join(folder, 'ca.crt'), Buffer.from(os.crt, 'base64'))
  writeFileSync(join(folder, 'ca.key'), Buffer.from(os.key, 'base64'))
  talosctl('gen', 'key', '--name', 'user', '--force')
  talosctl('gen', 'csr', '--key', 'user.key', '--ip', '127.0.0.1', '--roles', roles, '--force')
  talosctl('gen', 'crt', '--ca', 'ca', '--csr', 'user.csr', '--name', 'user', '--hours', String(hours), '--force')
  return changed(config, (context) => {
    context.crt = base64('user.crt')
    context.key = base64('user.key')
  })
}

// certificates that are made later in this file are valid by then
const now = new Date(Date.now() + 10 * 60_000)
const keep = (old: Buffer | undefined, made: Buffer, when = now, renew = false) => {
  const { content, kept, why } = keepTalosconfig(old, made, when, { renew })
  assert.is(content, kept ? old : made)
  return why
}

const old = generated()
const made = generated()

test('keeps the talosconfig byte for byte while its client certificate is good', () => {
  assert.not.equal(old, made)
  assert.is(keep(old, made), 'its client certificate is still good')
})

test('takes the new one where there is none, where it is asked for, and where the old one can not be read', () => {
  assert.is(keep(undefined, made), 'there is none yet')
  assert.is(keep(old, made, now, true), 'a new client certificate was asked for')
  for (const broken of ['', '{', 'context: d\ncontexts: {}', 'contexts: [1]'])
    assert.is(keep(Buffer.from(broken), made), 'the one that is there can not be read', broken)
})

test('renews the client certificate within 30 days of its end', () => {
  const days = (count: number) => new Date(now.getTime() + count * DAY_MS)
  assert.is(keep(old, made, days(334)), 'its client certificate is still good')
  assert.is(keep(old, made, days(336)), 'its client certificate ends in 29 days')
  assert.is(keep(old, made, days(366)), 'its client certificate has ended')
  assert.is(keep(old, made, days(-1)), 'its client certificate is not valid yet')
})

test('takes the new one where CA, endpoints, nodes or roles differ', () => {
  talosctl('gen', 'secrets', '-o', 'others.yaml', '--force')
  assert.is(keep(old, generated('others.yaml')), 'the CA is another one')
  const endpoints = changed(made, (context) => void context.endpoints.push('10.0.0.1'))
  assert.is(keep(old, endpoints), 'its endpoints, nodes or contexts differ')
  const nodes = changed(made, (context) => void Object.assign(context, { nodes: ['10.0.0.1'] }))
  assert.is(keep(old, nodes), 'its endpoints, nodes or contexts differ')
  assert.is(keep(signed(old, 'os:reader', 2400), made), 'its roles differ')
})

test('takes the new one where the certificate is not signed by the CA, or the key belongs to another', () => {
  const foreign = parse(generated('others.yaml').toString()) as { contexts: { c: Context } }
  const { crt, key } = foreign.contexts.c
  assert.is(
    keep(
      changed(old, (context) => Object.assign(context, { crt, key })),
      made,
    ),
    'its client certificate can not be used',
  )
  assert.is(
    keep(
      changed(old, (context) => Object.assign(context, { key })),
      made,
    ),
    'its client certificate can not be used',
  )
})

test('keeps one that talosctl signed for the same role, and renews that near its end as well', () => {
  assert.is(keep(signed(old, 'os:admin', 24 * 40), made), 'its client certificate is still good')
  assert.is(keep(signed(old, 'os:admin', 24 * 20), made), 'its client certificate ends in 20 days')
})

test.run()
