import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printPlan } from '../../../scripts/view/print-plan.ts'
import { redact } from '../../../scripts/view/redact.ts'
import { aRun } from './a-run.ts'

/** `base64` of a PEM block, as every Talos and Kubernetes file holds keys */
const pemIn64 = Buffer.from(`-----BEGIN ED25519 PRIVATE KEY-----\n${'CANARYkey'.repeat(5)}\n`).toString('base64')
const pem = `-----BEGIN EC PRIVATE KEY-----\nCANARYpem\nCANARYpem\n-----END EC PRIVATE KEY-----`

/** text in which a canary sits, and words of it that must survive */
const table: [where: string, text: string, keeps: string[]][] = [
  ['a PEM block', `before\n${pem}\nafter`, ['before', 'after']],
  ['a PEM block that was cut off', `before\n${pem.slice(0, 45)}`, ['before']],
  ['a PEM block inside JSON', JSON.stringify({ stderr: `said ${pem} at last` }), ['said', 'at last']],
  ['the key of a talosconfig', `    cp: CANARYnot\n    key: ${pemIn64}\n`.replace('    cp: CANARYnot\n', ''), ['key:']],
  ['the key of a talosconfig as JSON', `{"ca":"${pemIn64}","nodes":["10.0.0.1"]}`, ['10.0.0.1']],
  ['base64 in the middle of a sentence', `can not read ${pemIn64}, gave up`, ['can not read', 'gave up']],
  ['an age identity', 'identity AGE-SECRET-KEY-1CANARYCANARY0123 was used', ['identity', 'was used']],
  ['a bootstrap token', 'token: canary.0123456789abcdef', ['token:']],
  ['a trustd token in a sentence', 'joins with canary.0123456789abcdef now', ['joins with', 'now']],
  ['an encryption secret', 'secretboxEncryptionSecret: CANARYCANARY=\nnext: line', ['next: line']],
  ['a quoted encryption secret', 'aescbcEncryptionSecret: "CANARY with spaces"\nnext: line', ['next: line']],
  ['a kubeconfig', 'client-key-data: CANARYCANARYCANARY\n', ['client-key-data']],
  ['a short password', 'password: CANARY\nuser: me', ['user: me']],
  ['a bearer token', 'Authorization: Bearer CANARYCANARY.x', ['Authorization']],
  [
    'a service account token',
    `said eyJhbGciOiJSUzI1NiJ9.${Buffer.from('CANARY').toString('base64url')}.CANARY`,
    ['said'],
  ],
  ['the userinfo of a URL', 'get https://me:CANARY@example.org/x', ['https://me:', '@example.org/x']],
  ['a flag', 'talosctl --token=CANARY get members', ['talosctl', 'get members']],
  ['a variable', 'SOPS_AGE_PASSPHRASE=CANARY talhelper', ['talhelper']],
]

for (const [where, text, keeps] of table) {
  test(`takes a secret out of ${where}`, () => {
    const clean = redact(text)
    assert.not.match(clean, /CANARY|canary|LS0tLS1CRUdJTi/i)
    assert.match(clean, /\(redacted\)/)
    for (const kept of keeps) assert.ok(clean.includes(kept), `${kept} is gone from ${clean}`)
    assert.is(redact(clean), clean)
  })
}

const harmless = [
  'talenv.yaml:4:3: the key id is there twice (only one of the two can be meant)',
  'factory.talos.dev/metal-installer/6ee38dd99d1f1b0d9a7c1e2e6a1d4c63d1f8e3b7a0f5c2948d7b6a5e4f3c2b1a:v1.13.9',
  'boot id 19bcf6e6-968e-4ad8-92c3-3c6045bbc744',
  'wrong ca: the certificate of k8s-1 is not signed by it',
  'talosctl --talosconfig /x/talosconfig -e 10.0.0.1 -n 10.0.0.2 upgrade --image=x:v1.13.9 --no-reboot',
  '2026-11-21T00-49-11Z-upgrade-a138',
  'etcd member 8e9e05c52164694d',
]

for (const text of harmless) test(`leaves "${text.slice(0, 40)}" as it is`, () => assert.is(redact(text), text))

for (const output of ['plain', 'json'] as const)
  test(`takes a secret out of a plan that is printed (${output})`, () => {
    const started = aRun.find(({ type }) => type === 'run.started')
    assert.ok(started?.type === 'run.started')
    const plan = { ...started.plan, notes: ['a hook said token: canary.0123456789abcdef'] }
    const { write } = process.stdout
    let printed = ''
    process.stdout.write = (text: string | Uint8Array) => {
      printed += String(text)
      return true
    }
    try {
      printPlan(plan, 'cluster-7', { output })
    } finally {
      process.stdout.write = write
    }
    assert.match(printed, 'a hook said token: (redacted)')
    assert.not.match(printed, 'canary')
  })

test.run()
