import { webcrypto } from 'node:crypto'
// the container that @peculiar/x509 2 is built on wants this loaded before it
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const day = 24 * 3600 * 1000
const ed25519 = { name: 'Ed25519' }
x509.cryptoProvider.set(webcrypto)

/** A certificate and its key as PEM text, as Talos keeps them (a key's label there is `ED25519 PRIVATE KEY`). */
export type PemPair = { crt: string; key: string }

/** Talos labels Ed25519 keys `ED25519 PRIVATE KEY`; the body is PKCS#8, which everyone else calls `PRIVATE KEY`. */
const privateKeyOf = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), ed25519, false, ['sign'])

const exportKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

/** The serving certificate of a node, signed by the cluster's OS certificate authority, valid for a year. */
export async function issueNodeCertificate(
  authority: PemPair,
  subject: { name: string; address: string },
): Promise<PemPair> {
  const keys = (await webcrypto.subtle.generateKey(ed25519, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const issuer = new x509.X509Certificate(authority.crt)
  const authorityKey = issuer.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${subject.name}`,
    issuer: issuer.subject,
    // an hour back, so that a clock that runs behind does not matter
    notBefore: new Date(Date.now() - 3600 * 1000),
    notAfter: new Date(Date.now() + 365 * day),
    publicKey: keys.publicKey,
    signingKey: await privateKeyOf(authority.key),
    signingAlgorithm: ed25519,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: subject.address },
        { type: 'dns', value: subject.name },
      ]),
      // the authority's own name for its key: Go and Web Crypto make different ones of the same key
      ...(authorityKey === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(authorityKey)]),
    ],
  })
  return { crt: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** A certificate authority that looks like the cluster's and is not: what the fault wrong-ca presents. */
export async function createForeignAuthority(): Promise<PemPair> {
  const keys = (await webcrypto.subtle.generateKey(ed25519, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'O=talos',
    notBefore: new Date(Date.now() - 3600 * 1000),
    notAfter: new Date(Date.now() + 3650 * day),
    keys,
    signingAlgorithm: ed25519,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  return { crt: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}
