import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { configDiff } from '../../../../scripts/config/diff/config-diff.ts'
import { resolveTool } from '../../../../scripts/toolchain/resolve-tool.ts'
import { redact } from '../../../../scripts/view/redact.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-diff-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** All that a diff shows. */
const shown = (before: string | undefined, after: string | undefined, secrets: string[] = []): string =>
  configDiff(before, after, { secrets })
    .map(({ document, change, patch }) => `${change} ${document}\n${patch}`)
    .join('')

const HOSTNAME = (name: string) => `---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostname: ${name}\n`
const VOLUME = (name: string, size: string) =>
  `---\napiVersion: v1alpha1\nkind: UserVolumeConfig\nname: ${name}\nprovisioning:\n  minSize: ${size}\n`

test('names what has no kind by what is in it', () => {
  const rows: [document: string, content: object][] = [
    ['v1alpha1 machine configuration', { machine: {} }],
    ['talosconfig', { context: 'a', contexts: {} }],
    ['talconfig', { clusterName: 'a', nodes: [] }],
    ['document', { clusterName: 'a' }],
  ]
  for (const [document, content] of rows) {
    const [change] = configDiff(undefined, stringify(content), { secrets: [] })
    assert.is(change?.document, document)
  }
})

test('shows changes by kind and name, with two lines around them and in the order of the file', () => {
  const before = `version: v1alpha1\nmachine:\n  type: worker # a comment\n  sysctls: {a: 1, b: 2, c: 3, d: 4}\n${HOSTNAME('k8s-1')}${VOLUME('x', '1GB')}${VOLUME('y', '1GB')}`
  const after = `version: v1alpha1\nmachine:\n    "type": worker\n    sysctls: {a: 1, b: 2, c: 3, d: 5}\n${VOLUME('z', '1GB')}${HOSTNAME('k8s-2')}${VOLUME('x', '2GB')}`
  assert.is(
    shown(before, after),
    `changed v1alpha1 machine configuration
@@ -6,3 +6,3 @@
     b: 2
     c: 3
-    d: 4
+    d: 5
added UserVolumeConfig z
@@ -1,0 +1,5 @@
+apiVersion: v1alpha1
+kind: UserVolumeConfig
+name: z
+provisioning:
+  minSize: 1GB
changed HostnameConfig k8s-2
@@ -1,3 +1,3 @@
 apiVersion: v1alpha1
 kind: HostnameConfig
-hostname: k8s-1
+hostname: k8s-2
changed UserVolumeConfig x
@@ -3,3 +3,3 @@
 name: x
 provisioning:
-  minSize: 1GB
+  minSize: 2GB
removed UserVolumeConfig y
@@ -1,5 +1,0 @@
-apiVersion: v1alpha1
-kind: UserVolumeConfig
-name: y
-provisioning:
-  minSize: 1GB
`,
  )
})

test('takes comments, quotes and indents for no change', () => {
  assert.equal(
    configDiff(`a: "1"\nb: [x]\n${VOLUME('x', '1GB')}`, `# new\na: '1'\nb:\n    - x\n${VOLUME('x', '"1GB"')}`),
    [],
  )
  assert.equal(configDiff(undefined, undefined), [])
  assert.equal(configDiff('', '---\n'), [])
})

/** Every place of a machine configuration that holds a secret; what looks like none on its own, so that the place counts. */
const SECRETS = (canary: (name: string) => string) => `version: v1alpha1
machine:
  token: ${canary('token')}
  ca: {crt: ${canary('crt')}, key: ${canary('ca-key')}}
  acceptedCAs: [{crt: x, key: ${canary('accepted-key')}}]
  env: {HTTP_LOGIN: ${canary('env')}}
  files: [{path: /a, content: ${canary('content')}}]
  registries: {config: {reg: {auth: {username: ${canary('user')}, password: ${canary('password')}, auth: ${canary('auth')}, identityToken: ${canary('identity')}}, tls: {clientIdentity: {crt: x, key: ${canary('tls-key')}}}}}}
  network: {interfaces: [{wireguard: {privateKey: ${canary('wireguard')}}, vip: {hcloud: {apiToken: ${canary('hcloud')}}}}]}
  systemDiskEncryption: {state: {keys: [{slot: 0, static: {passphrase: ${canary('passphrase')}}}]}}
  logging: {destinations: [{endpoint: "https://login:${canary('url')}@logs.example.org"}]}
cluster:
  id: ${canary('id')}
  secret: ${canary('secret')}
  token: ${canary('bootstrap')}
  secretboxEncryptionSecret: ${canary('secretbox')}
  aescbcEncryptionSecret: ${canary('aescbc')}
  ca: {crt: x, key: ${canary('k8s-key')}}
  aggregatorCA: {crt: x, key: ${canary('aggregator-key')}}
  serviceAccount: {key: ${canary('account-key')}}
  etcd: {ca: {crt: x, key: ${canary('etcd-key')}}}
  apiServer: {env: {VAR: ${canary('apiserver-env')}}, extraArgs: {oidc-client-secret: ${canary('oidc')}}}
  extraManifestHeaders: {Authorization: ${canary('header')}}
  inlineManifests:
    - name: m
      contents: |
        apiVersion: v1
        kind: Secret
        stringData: {x: ${canary('manifest')}}
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: tailscale
environment: [TS_AUTHKEY=${canary('extension')}]
configFiles: [{mountPath: /x, content: ${canary('config-file')}}]
---
apiVersion: v1alpha1
kind: WireguardConfig
name: wg0
privateKey: ${canary('wg')}
peers: [{publicKey: x, presharedKey: ${canary('psk')}}]
---
apiVersion: v1alpha1
kind: VolumeConfig
name: STATE
encryption: {keys: [{slot: 0, static: {passphrase: ${canary('volume')}}}]}
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: reg
password: ${canary('registry')}
---
apiVersion: v1alpha1
kind: EnvironmentConfig
variables: {LOGIN: ${canary('variable')}}
---
apiVersion: v1alpha1
kind: SideroLinkConfig
apiUrl: https://siderolink.example.org/?jointoken=${canary('join')}
`

const COUNT = [...SECRETS(() => 'CANARY').matchAll(/CANARY/g)].length

test('shows no secret of any place that holds one, whether it stays, changes, comes or goes', () => {
  const one = SECRETS((name) => `CANARY-one-${name}`)
  const two = SECRETS((name) => `CANARY-two-${name}`)
  for (const [before, after] of [
    [one, two],
    [undefined, one],
    [one, undefined],
    [one, one.replaceAll('x', 'y')],
  ]) {
    const text = shown(before, after)
    assert.not.match(text, /CANARY/)
    assert.is(redact(text), text, 'a redactor on the way out changes nothing')
  }
  assert.is(COUNT, 36)
  const changes = [...shown(one, two).matchAll(/^\+.*\(redacted\), changed$/gm)].length
  assert.ok(changes === COUNT, `${changes} of ${COUNT} say that they changed`)
  assert.is(shown(one, one), '')
})

test('tells a secret that changed from one that was only moved', () => {
  const files = (...contents: string[]) =>
    stringify({ machine: { files: contents.map((content) => ({ path: `/${content}`, content })) } })
  const moved = shown(files('aaa', 'bbb'), files('new', 'aaa', 'bbb'))
  assert.match(moved, /\+ {6}content: \(redacted\), changed/)
  assert.is([...moved.matchAll(/, changed/g)].length, 1)
  const swapped = shown(
    files('aaa', 'bbb'),
    stringify({
      machine: {
        files: [
          { path: '/aaa', content: 'bbb' },
          { path: '/bbb', content: 'aaa' },
        ],
      },
    }),
  )
  assert.is([...swapped.matchAll(/, changed/g)].length, 2)
})

test('hides values that are known to be secret wherever they stand, also in keys and within other texts', () => {
  const before = { machine: { sysctls: { a: 'short', b: 'x a-long-secret y', 'a-long-secret': 1 }, type: 'shorter' } }
  const text = shown(stringify(before), stringify({ machine: { sysctls: {}, type: 'z' } }), ['short', 'a-long-secret'])
  assert.not.match(text, /a-long-secret|short$/m)
  assert.match(text, /^- {2}type: shorter$/m)
  const mask = configDiff(undefined, '---\nkind: UserVolumeConfig\nname: a-long-secret\n', {
    secrets: ['a-long-secret'],
  })
  assert.is(mask[0]?.document, 'UserVolumeConfig (redacted)')
})

test('hides patches and manifests within a talconfig that hold a secret, and shows those that hold none', () => {
  const talconfig = (patch: string) => stringify({ clusterName: 'c', nodes: [{ hostname: 'a', patches: [patch] }] })
  const text = shown(
    talconfig('machine:\n  sysctls:\n    a: "1"\n'),
    talconfig('machine:\n  env:\n    LOGIN: CANARY\n'),
  )
  assert.match(text, /^changed talconfig$/m)
  assert.match(text, /^- +a: "1"$/m)
  assert.not.match(text, /CANARY/)
  const json = shown(talconfig('x'), talconfig('[{"op": "add", "path": "/machine/ca", "value": {"token": "CANARY"}}]'))
  assert.not.match(json, /CANARY/)
})

test('shows nothing of a text that is no YAML', () => {
  for (const broken of ['{', 'a: b: CANARY', 'a: *CANARY', '\tCANARY: 1'])
    assert.equal(configDiff('a: 1', broken), [
      { document: 'text that can not be read as YAML', change: 'changed', patch: '' },
    ])
  assert.equal(configDiff('{', '{'), [])
})

test('tells documents of one kind and name apart', () => {
  assert.is(
    shown(VOLUME('x', '1') + VOLUME('x', '2'), VOLUME('x', '1') + VOLUME('x', '3')).split('\n')[0],
    'changed UserVolumeConfig x (2)',
  )
})

test('shows no secret of configurations that talosctl generates', async () => {
  const talosctl = await resolveTool('talosctl-1.13')
  assert.ok(talosctl.found)
  const generate = (name: string) => {
    const call = (...argv: string[]) => execFileSync(talosctl.path, argv, { cwd: folder, stdio: 'pipe' })
    call('gen', 'secrets', '-o', `${name}.yaml`)
    call('gen', 'config', 'c', 'https://10.0.0.1:6443', '--with-secrets', `${name}.yaml`, '-o', name)
    const leaves: string[] = []
    JSON.stringify(parse(readFileSync(join(folder, `${name}.yaml`), 'utf8')), (_, value) => {
      if (typeof value === 'string') leaves.push(value)
      return value
    })
    return { leaves, file: (file: string) => readFileSync(join(folder, name, file), 'utf8') }
  }
  const [one, two] = [generate('one'), generate('two')]
  assert.ok(one.leaves.length > 12)
  for (const file of ['controlplane.yaml', 'worker.yaml', 'talosconfig']) {
    const config = one.file(file)
    assert.ok(one.leaves.some((leaf) => config.includes(leaf)))
    // without being told what is secret
    for (const text of [shown(config, two.file(file)), shown(undefined, config), shown(config, undefined)]) {
      assert.match(text, /\(redacted\)/)
      const seen = [...one.leaves, ...two.leaves].filter((leaf) => leaf.length > 4 && text.includes(leaf))
      assert.equal(seen, [], file)
    }
    assert.is(shown(config, config), '')
    const other = stringify(parseAllDocuments(config).map((document) => (document as { toJS(): unknown }).toJS())[0])
    assert.is(shown(config.split(/^---$/m)[0], other), '', 'the same in another style')
  }
})

test('shows no known secret and never fails, whatever two texts are', () => {
  const secret = fc.string({ minLength: 8, maxLength: 20 }).filter((text) => /^[\w+/=.-]+$/.test(text))
  const key = fc.constantFrom(
    'machine',
    'cluster',
    'token',
    'key',
    'ca',
    'kind',
    'name',
    'files',
    'content',
    'a',
    'env',
  )
  const document = (held: string) => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom(held, `x${held}y`, `a: ${held}\nb: 1`),
    )
    return fc.array(
      fc.letrec((tie) => ({
        value: fc.oneof(
          { depthSize: 'small' },
          leaf,
          fc.array(tie('value'), { maxLength: 3 }),
          fc.dictionary(key, tie('value'), { maxKeys: 4 }),
        ),
      })).value,
      { minLength: 1, maxLength: 3 },
    )
  }
  const pair = secret.chain((held) => fc.tuple(fc.constant(held), document(held), document(held)))
  fc.assert(
    fc.property(pair, fc.boolean(), ([held, one, two], cut) => {
      const text = (documents: unknown[]) => documents.map((content) => `---\n${stringify(content)}`).join('')
      const after = cut ? text(two).slice(0, -3) : text(two)
      assert.not.ok(shown(text(one), after, [held]).includes(held))
      // a string that only looks like another kind of value is one all the same
      assert.is(shown(text(one), text(one), [held]), '')
    }),
    { numRuns: 200 },
  )
})

test.run()
