import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, stringify } from 'yaml'
import { resolveTool } from '../../../../scripts/toolchain/resolve-tool.ts'
import { checkClient } from '../../../../scripts/tools/talosctl/check-client.ts'
import { checkTalosconfig, hostOf, readTalosconfig } from '../../../../scripts/tools/talosctl/talosconfig.ts'

const test = suite('talosconfig')

const folder = mkdtempSync(join(tmpdir(), 'talosconfig-test-'))
const path = join(folder, 'talosconfig')
type File = { context: string; contexts: Record<string, { endpoints?: string[]; crt?: string; key?: string }> }
let made: File

test.before(async () => {
  const tool = await resolveTool('talosctl-1.13')
  if (!tool.found) throw new Error(tool.detail)
  const options = { env: { HOME: folder }, cwd: folder, stdio: 'ignore' } as const
  execFileSync(tool.path, ['gen', 'secrets', '-o', 'secrets.yaml'], options)
  execFileSync(
    tool.path,
    ['gen', 'config', 'c', 'https://10.0.0.10:6443', '--with-secrets', 'secrets.yaml', '-t', 'talosconfig', '-o', path],
    options,
  )
  made = parse(readFileSync(path, 'utf8'))
})
test.after(() => rmSync(folder, { recursive: true, force: true }))

const write = (change: (context: File['contexts'][string]) => void) => {
  const file = structuredClone(made)
  const context = file.contexts[file.context]
  if (context) change(context)
  writeFileSync(path, stringify(file))
}
const now = () => new Date()
const nodes = ['10.0.0.11', '10.0.0.12'].map((address, i) => ({
  name: `k8s-${i}`,
  address,
  role: 'controlplane' as const,
}))
const reasons = (at = now(), vip?: string) =>
  checkTalosconfig(path, { nodes, ...(vip !== undefined && { vip }) }, at).map(({ reason }) => reason)

test('one that talosctl made is good, and its endpoints are read', () => {
  write((context) => {
    context.endpoints = ['10.0.0.11', '10.0.0.12:50000']
  })
  assert.equal(reasons(), [])
  const config = readTalosconfig(path)
  assert.ok(config.ok)
  assert.equal(config.value.endpoints, ['10.0.0.11', '10.0.0.12:50000'])
  assert.equal(config.value.roles, ['os:admin'])
})

test('the virtual IP is no endpoint, with a port neither', () => {
  for (const endpoint of ['10.0.0.10', '10.0.0.10:50000']) {
    write((context) => {
      context.endpoints = ['10.0.0.11', endpoint]
    })
    assert.equal(reasons(now(), '10.0.0.10'), ['vip-endpoint'])
    const [told] = checkTalosconfig(path, { nodes, vip: '10.0.0.10' }, now())
    assert.is(told?.hint, `talosctl --talosconfig ${path} config endpoint 10.0.0.11 10.0.0.12`)
  }
})

test('an endpoint with a port that is none makes it invalid, and is told', () => {
  for (const [endpoint, isPort] of [
    ['10.0.0.11:500000', false],
    ['10.0.0.11:0', false],
    ['[fd00::1]:65536', false],
    ['[fd00::1]:65535', true],
    ['fd00::70000', true],
    ['talos.home:1', true],
  ] as const) {
    write((context) => {
      context.endpoints = ['10.0.0.11', endpoint]
    })
    assert.equal(reasons(), isPort ? [] : ['talosconfig-invalid'], endpoint)
    const [told] = checkTalosconfig(path, { nodes }, now())
    if (!isPort) assert.match(told?.detail ?? '', endpoint)
  }
})

test('a client certificate that is no more, or not yet, is told with its date', () => {
  write(() => {})
  assert.equal(reasons(new Date(Date.now() + 2 * 365 * 86_400_000)), ['client-certificate-expired'])
  const [early] = checkTalosconfig(path, { nodes }, new Date(Date.now() - 2 * 365 * 86_400_000))
  assert.match(early?.detail ?? '', /^the client certificate in context ".+" of \S+ begins on \d{4}-\d\d-\d\d/)
})

test('a certificate that is none, or missing, makes it invalid', () => {
  write((context) => {
    context.crt = Buffer.from('nonsense').toString('base64')
  })
  assert.equal(reasons(), ['talosconfig-invalid'])
  write((context) => {
    delete context.crt
  })
  assert.equal(reasons(), ['talosconfig-invalid'])
})

test('a missing file is told from one that can not be used', () => {
  assert.equal(
    checkTalosconfig(join(folder, 'none'), { nodes }, now()).map(({ reason }) => reason),
    ['talosconfig-missing'],
  )
  assert.equal(
    checkTalosconfig(folder, { nodes }, now()).map(({ reason }) => reason),
    ['talosconfig-invalid'],
  )
  for (const text of ['', 'a: [', '- 1', 'context: a\ncontexts: {}\n', 'context: a\n', 'contexts: 3']) {
    writeFileSync(path, text)
    assert.equal(reasons(), ['talosconfig-invalid'], text)
  }
})

test('no complaint shows what is in the file', () => {
  const canary = 'CANARYKEY'
  for (const text of [
    `key: ${canary}: [`,
    `contexts: {a: {key: ${canary}, endpoints: 3}}`,
    `context: a\ncontexts: {a: {key: ${canary}, crt: ${canary}}}`,
  ]) {
    writeFileSync(path, text)
    const failures = checkTalosconfig(path, { nodes }, now())
    assert.is(failures.length, 1)
    assert.not.match(JSON.stringify(failures), canary)
  }
})

test('the host of an endpoint is what is before its port', () => {
  assert.equal(['10.0.0.1', '10.0.0.1:50000', 'fd00::1', '[fd00::1]:50000', '[fd00::1]', 'talos.home:1'].map(hostOf), [
    '10.0.0.1',
    '10.0.0.1',
    'fd00::1',
    'fd00::1',
    'fd00::1',
    'talos.home',
  ])
})

const clients: [client: string, target: string, fits: boolean][] = [
  ['v1.13.9', 'v1.13.9', true],
  ['v1.13.7', 'v1.13.9', true],
  ['v1.13.6', 'v1.13.6', false],
  ['v1.14.0', 'v1.13.9', true],
  ['v1.13.9', 'v1.14.0', false],
  ['v1.12.9', 'v1.12.9', false],
  ['v1.14.0-rc.1', 'v1.14.0', true],
  ['1.13.9', 'v1.12.9', true],
  ['nonsense', 'v1.13.9', false],
]
for (const [client, target, fits] of clients)
  test(`talosctl ${client} ${fits ? 'is' : 'is not'} good enough for ${target}`, () => {
    assert.equal(
      checkClient(client, target).map(({ reason }) => reason),
      fits ? [] : ['tool-too-old'],
    )
  })

test('a talosctl that nothing here can get is no matter of npm run tools', () => {
  assert.is(checkClient('v1.13.9', 'v1.14.0')[0]?.hint, 'npm run tools')
  assert.is(checkClient('v1.14.1', 'v1.15.0')[0]?.hint, undefined)
})

test.run()
