import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { createForeignAuthority, issueNodeCertificate } from '../../../lab/api/certificates.ts'
import { identifyClient } from '../../../lab/api/client-identity.ts'
import { testPki } from './test-pki.ts'

const hourMs = 3600 * 1000

async function clientOf(role: string): Promise<{ der: Buffer; authority: X509Certificate }> {
  const { authority, talosconfigFor } = await testPki()
  const { contexts } = parse(await readFile(await talosconfigFor(role), 'utf8'))
  const certificate = new X509Certificate(Buffer.from(contexts.lab.crt, 'base64'))
  return { der: certificate.raw, authority: new X509Certificate(authority.crt) }
}

test('roles are the organisations of the certificate, all of them', async () => {
  const { der, authority } = await clientOf('os:reader,os:etcd:backup')
  const { roles, refusal } = identifyClient(der, authority, new Date())
  assert.is(refusal, undefined)
  assert.equal([...roles].sort(), ['os:etcd:backup', 'os:reader'])
})

test('an expired certificate, and one that is not valid yet, is refused as expired', async () => {
  const { der, authority } = await clientOf('os:admin')
  for (const shiftMs of [48 * hourMs, -48 * hourMs]) {
    const { roles, refusal } = identifyClient(der, authority, new Date(Date.now() + shiftMs))
    assert.is(refusal, 'expired certificate')
    assert.equal(roles, [])
  }
})

test('the certificate of another authority with the same name is refused', async () => {
  const { der } = await clientOf('os:admin')
  const foreign = new X509Certificate((await createForeignAuthority()).crt)
  assert.is(identifyClient(der, foreign, new Date()).refusal, 'unknown certificate authority')
})

test("a node's own serving certificate is no client", async () => {
  const { authority } = await testPki()
  const { crt } = await issueNodeCertificate(authority, { name: 'k8s-1', address: '127.0.0.9' })
  const { raw } = new X509Certificate(crt)
  assert.is(identifyClient(raw, new X509Certificate(authority.crt), new Date()).refusal, 'bad certificate')
})

test('no certificate is refused with the words for it', async () => {
  const { authority } = await clientOf('os:admin')
  assert.is(identifyClient(undefined, authority, new Date()).refusal, 'certificate required')
})

test.run()
