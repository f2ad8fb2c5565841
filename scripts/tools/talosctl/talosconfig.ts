import { createHash, X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { parse } from 'yaml'
import { type Cluster, controlPlanesOf } from '../../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../../workflows/model/failure.ts'
import { shellWord } from '../../cli/shell-word.ts'
import { failureOfDisk } from '../../disk/on-disk.ts'
import { readText } from '../../disk/read-text.ts'

/** What is used of a talosconfig's current context; the private key is never taken out of the file. */
export type Talosconfig = {
  context: string
  /** host names or addresses, some with a port */
  endpoints: string[]
  /** PEM */
  clientCertificate: string | undefined
  /** what the client certificate lets one do: its organisations, such as os:admin */
  roles: string[]
  /** hash of the CA that the nodes must be signed by: the same for one cluster, another after it was made anew */
  identity: string
}

const File = v.object({
  context: v.optional(v.string(), ''),
  contexts: v.nullish(
    v.record(
      v.string(),
      v.object({
        endpoints: v.nullish(v.array(v.string()), []),
        crt: v.nullish(v.string()),
        ca: v.nullish(v.string()),
      }),
    ),
    {},
  ),
})

/** The current context of the file, or why there is none (machinery/client/config). Never shows its content. */
export function readTalosconfig(path: string): Result<Talosconfig> {
  let text: string
  try {
    text = readText(path)
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    const unread = isMissing ? undefined : failureOfDisk(error, 'talosconfig-invalid')
    return { ok: false, failure: unread ?? failure('talosconfig-missing', { detail: `there is no ${path}` }) }
  }
  let content: unknown
  try {
    content = parse(text)
  } catch {
    // The parser's message would quote the file.
    return invalid(`${path} is no YAML`)
  }
  const file = v.safeParse(File, content)
  if (!file.success) return invalid(`${path} is no talosconfig`)
  const context = file.output.contexts?.[file.output.context]
  if (!context) return invalid(`${path} has no context "${file.output.context}"`)
  const identity = createHash('sha256')
    .update(context.ca ?? '')
    .digest('hex')
  const clientCertificate = context.crt ? Buffer.from(context.crt, 'base64').toString() : undefined
  return {
    ok: true,
    value: {
      context: file.output.context,
      endpoints: context.endpoints ?? [],
      clientCertificate,
      roles: rolesOf(clientCertificate),
      identity,
    },
  }
}

function rolesOf(certificate: string | undefined): string[] {
  try {
    return [...new X509Certificate(certificate ?? '').subject.matchAll(/^O=(.+)$/gm)].map(([, role = '']) => role)
  } catch {
    return []
  }
}

/**
 * Everything that can be wrong with a cluster's talosconfig before any node is asked: none, unreadable, no context, the
 * virtual IP as an endpoint (it moves while we reboot its holder), an endpoint with a port that is none, a client certificate
 * that is no more or not yet.
 */
export function checkTalosconfig(path: string, cluster: Pick<Cluster, 'vip' | 'nodes'>, now: Date): Failure[] {
  const config = readTalosconfig(path)
  if (!config.ok) return [config.failure]
  const { endpoints, clientCertificate, context } = config.value
  const failures: Failure[] = []
  const hint = `talosctl --talosconfig ${shellWord(path)} config endpoint ${controlPlanesOf(cluster)
    .map(({ address }) => address)
    .join(' ')}`
  for (const endpoint of endpoints) {
    const port = Number(portOf(endpoint) ?? 1)
    if (port >= 1 && port <= 65_535) continue
    const detail = `the endpoint ${endpoint} in context "${context}" of ${path} has a port that is none`
    failures.push(failure('talosconfig-invalid', { detail, hint }))
  }
  if (cluster.vip !== undefined && endpoints.some((endpoint) => hostOf(endpoint) === cluster.vip)) {
    failures.push(
      failure('vip-endpoint', {
        detail: `context "${context}" of ${path} uses the virtual IP ${cluster.vip} as an endpoint`,
        hint,
      }),
    )
  }
  if (clientCertificate === undefined) {
    failures.push(...invalidList(`context "${context}" of ${path} has no client certificate`))
    return failures
  }
  try {
    const { validFrom, validTo } = new X509Certificate(clientCertificate)
    const hint = 'workflows/gen-config.ts --renew-talosconfig'
    const which = `the client certificate in context "${context}" of ${path}`
    if (now > new Date(validTo))
      failures.push(failure('client-certificate-expired', { detail: `${which} ended on ${iso(validTo)}`, hint }))
    else if (now < new Date(validFrom))
      failures.push(
        failure('client-certificate-expired', {
          detail: `${which} begins on ${iso(validFrom)}, which is still to come`,
          hint: 'date # the clock of this computer may be wrong',
        }),
      )
  } catch {
    failures.push(...invalidList(`the client certificate in context "${context}" of ${path} is none`))
  }
  return failures
}

const invalid = (detail: string): { ok: false; failure: Failure } => ({
  ok: false,
  failure: failure('talosconfig-invalid', { detail }),
})

const invalidList = (detail: string): Failure[] => [invalid(detail).failure]

/** The port of an endpoint that names one. */
export const portOf = (endpoint: string): string | undefined => /^(?:\[.+\]|[^:]+):(\d+)$/.exec(endpoint)?.[1]

const iso = (date: string): string => new Date(date).toISOString().slice(0, 10)

/** `10.0.0.1:50000`, `[fd00::1]:50000` and both without the port. */
export const hostOf = (endpoint: string): string =>
  /^\[(.+)\](:\d+)?$/.exec(endpoint)?.[1] ?? (/^[^:]+:\d+$/.test(endpoint) ? endpoint.replace(/:\d+$/, '') : endpoint)
