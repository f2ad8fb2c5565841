import { createPrivateKey, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { PemPair } from '../api/certificates.ts'

const day = 24 * 3600 * 1000
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }

/** Whom a certificate of Kubernetes is for: a client by its name and groups, a server by its addresses and names. */
export type Subject =
  | { client: string; groups: readonly string[] }
  | { server: string; addresses: readonly string[]; names: readonly string[] }

/** A certificate signed by the cluster's Kubernetes authority, valid for a year, as talosctl's kubeconfig has them. */
export async function issueKubernetesCertificate(authority: PemPair, subject: Subject): Promise<PemPair> {
  const keys = (await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const issuer = new x509.X509Certificate(authority.crt)
  const signing = createPrivateKey(authority.key)
  const algorithm = signing.asymmetricKeyType === 'rsa' ? rsa : ecdsa
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    signing.export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    false,
    ['sign'],
  )
  const isClient = 'client' in subject
  const name = new x509.Name([
    ...(isClient ? subject.groups.map((group) => ({ O: [group] })) : []),
    { CN: [isClient ? subject.client : subject.server] },
  ])
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: issuer.subject,
    notBefore: new Date(Date.now() - 3600 * 1000),
    notAfter: new Date(Date.now() + 365 * day),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        isClient ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth,
      ]),
      ...(isClient
        ? []
        : [
            new x509.SubjectAlternativeNameExtension([
              ...subject.addresses.map((value) => ({ type: 'ip' as const, value })),
              ...subject.names.map((value) => ({ type: 'dns' as const, value })),
            ]),
          ]),
    ],
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { crt: certificate.toString('pem'), key }
}
