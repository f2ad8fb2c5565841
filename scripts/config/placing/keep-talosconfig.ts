import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'

/** A certificate that ends sooner is renewed. */
const RENEW_DAYS = 30

const DAY_MS = 24 * 60 * 60 * 1000

/** The talosconfig to put in place, and why it is that one. */
export type KeptTalosconfig = { content: Uint8Array; kept: boolean; why: string }

/**
 * The old talosconfig where it says the same as the new one and its client certificate is good for more than 30 days; else
 * the new one. talhelper makes a new client certificate in each run, so that without this nothing would ever be unchanged.
 */
export function keepTalosconfig(
  old: Uint8Array | undefined,
  made: Uint8Array,
  now: Date,
  { renew }: { renew: boolean },
): KeptTalosconfig {
  const why = renew ? 'a new client certificate was asked for' : reasonToReplace(old, made, now)
  if (old === undefined || why !== undefined) return { content: made, kept: false, why: why ?? 'there is none yet' }
  return { content: old, kept: true, why: 'its client certificate is still good' }
}

type Context = { ca?: unknown; crt?: unknown; key?: unknown }
type Config = { context?: unknown; contexts?: Record<string, Context> }

function reasonToReplace(old: Uint8Array | undefined, made: Uint8Array, now: Date): string | undefined {
  if (old === undefined) return 'there is none yet'
  const before = read(old)
  const after = read(made)
  const was = contextOf(before)
  const is = contextOf(after)
  if (!was) return 'the one that is there can not be read'
  if (!is || was.ca !== is.ca) return 'the CA is another one'
  if (!isDeepStrictEqual(withoutClients(before), withoutClients(after)))
    return 'its endpoints, nodes or contexts differ'
  const certificate = certificateOf(was)
  const wanted = certificateOf(is)
  if (!certificate || !isUsable(certificate, was)) return 'its client certificate can not be used'
  if (certificate.subject !== wanted?.subject) return 'its roles differ'
  if (now < new Date(certificate.validFrom)) return 'its client certificate is not valid yet'
  const days = (Date.parse(certificate.validTo) - now.getTime()) / DAY_MS
  if (days > RENEW_DAYS) return undefined
  return days > 0 ? `its client certificate ends in ${Math.ceil(days)} days` : 'its client certificate has ended'
}

function read(content: Uint8Array): Config | undefined {
  try {
    return parse(Buffer.from(content).toString()) as Config
  } catch {
    return undefined
  }
}

const contextOf = (config: Config | undefined): Context | undefined =>
  typeof config?.context === 'string' ? config.contexts?.[config.context] : undefined

const withoutClients = (config: Config | undefined) => ({
  ...config,
  contexts: Object.entries(config?.contexts ?? {}).map(([name, { crt, key, ...context }]) => [name, context]),
})

const pemOf = (base64: unknown): string => Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64').toString()

function certificateOf({ crt }: Context): X509Certificate | undefined {
  try {
    return new X509Certificate(pemOf(crt))
  } catch {
    return undefined
  }
}

/** Signed by the CA beside it, and with its own key. */
function isUsable(certificate: X509Certificate, { ca, key }: Context): boolean {
  try {
    // Talos writes PKCS #8 under a label of its own
    const privateKey = createPrivateKey(pemOf(key).replaceAll('ED25519 PRIVATE KEY', 'PRIVATE KEY'))
    return certificate.checkPrivateKey(privateKey) && certificate.verify(new X509Certificate(pemOf(ca)).publicKey)
  } catch {
    return false
  }
}
