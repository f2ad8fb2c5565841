import { X509Certificate } from 'node:crypto'

const clientAuth = '1.3.6.1.5.5.7.3.2'

/** Who a client is by its certificate: its roles, or why a real node would have ended the handshake. */
export type ClientIdentity = { roles: readonly string[]; refusal?: string }

/**
 * Judges a client's certificate as apid does (internal/app/apid/service.go): signed by the OS authority, valid now, and
 * for client authentication only; roles are the O of its subject. The refusals are the TLS alerts of Go's server.
 */
export function identifyClient(der: Buffer | undefined, authority: X509Certificate, now: Date): ClientIdentity {
  if (der === undefined) return { roles: [], refusal: 'certificate required' }
  const certificate = new X509Certificate(der)
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    return { roles: [], refusal: 'unknown certificate authority' }
  }
  if (now > new Date(certificate.validTo)) return { roles: [], refusal: 'expired certificate' }
  if (now < new Date(certificate.validFrom)) return { roles: [], refusal: 'expired certificate' }
  const usages = certificate.keyUsage ?? []
  if (usages.length !== 1 || usages[0] !== clientAuth) return { roles: [], refusal: 'bad certificate' }
  const roles = certificate.subject
    .split(/\n| \+ /)
    .filter((part) => part.startsWith('O='))
    .map((part) => part.slice('O='.length))
  return { roles }
}
