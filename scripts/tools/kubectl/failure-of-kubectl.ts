import { type Failure, type FailureReason, failure } from '../../../workflows/model/failure.ts'
import { deniedIn, forbidden } from '../../../workflows/plan/missing-access.ts'
import type { CommandResult } from '../../run.ts'
import { howEnded, isMissing, notStarted } from '../ended.ts'

/** What kubectl says, what it means. The first match counts. */
const MEANINGS: readonly { says: RegExp; reason: FailureReason }[] = [
  // an API server that does not know itself by that address: another way leads to it, or the kubeconfig's own
  { says: /x509: certificate is valid for/, reason: 'kubernetes-unreachable' },
  {
    says: /certificate signed by unknown authority|x509: certificate has expired|client certificate/,
    reason: 'kubeconfig-unusable',
  },
  {
    says: /You must be logged in to the server|\(Unauthorized\)|tls: (expired|unknown|bad) certificate|certificate required/,
    reason: 'kubeconfig-unusable',
  },
  {
    says: /error loading config file|invalid configuration|Error in configuration|unable to read client-(cert|key)|getting credentials: exec|Please enter Username/,
    reason: 'kubeconfig-unusable',
  },
  { says: /\(Forbidden\): /, reason: 'kubernetes-forbidden' },
  {
    says: /was refused - did you specify|connection refused|no route to host|i\/o timeout|TLS handshake timeout|no such host|connection reset|unexpected EOF|: EOF|Client\.Timeout exceeded|request canceled|context deadline exceeded|\(Timeout\)|\(ServiceUnavailable\)|\(InternalError\).*etcd|http2: client connection lost|network is unreachable|etcdserver:|the server is currently unable|apiserver not ready|server has asked for the client to provide credentials/,
    reason: 'kubernetes-unreachable',
  },
]

/** A webhook that says no, or that the API server does not reach: no matter of roles, nor of the way to the API. */
const OF_WEBHOOK = /admission webhook "[^"]+" denied the request|failed calling webhook "/

/** Why a call of kubectl failed; `otherwise` where its text says nothing about the way to the API server. */
export function failureOfKubectl(result: CommandResult, otherwise: FailureReason = 'command-failed'): Failure {
  if (isMissing(result)) return notStarted('kubectl', result)
  if (result.ended.by === 'abort') return failure(otherwise, { detail: howEnded(result) })
  const denied = deniedIn(result.stderr)
  if (denied.length > 0) return forbidden(denied)
  if (result.ended.by === 'deadline')
    return failure('kubernetes-unreachable', { detail: 'the API server did not answer in time' })
  const meaning = OF_WEBHOOK.test(result.stderr) ? undefined : MEANINGS.find(({ says }) => says.test(result.stderr))
  const said = gist(result.stderr)
  return failure(meaning?.reason ?? otherwise, { detail: said || `kubectl ${howEnded(result)}` })
}

/** What the API server answered, where its answer has a name: `Conflict`, `NotFound`, `AlreadyExists`, `TooManyRequests`. */
export const refusalOf = ({ stderr }: CommandResult): string | undefined =>
  /^Error from server \((\w+)\):/m.exec(stderr)?.[1]

/** The one sentence in what kubectl printed, without the lines of its client library, and the advice after it. */
function gist(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[EWI]\d{4} /.test(line) && !/^Warning: /.test(line))
  const said = lines.findLast((line) => /^(error|Error|Unable to connect)\b/.test(line)) ?? lines.at(-1) ?? ''
  const text = said.replace(/^(error|Error from server \(\w+\)): /, '')
  return text.length > 300 ? `${text.slice(0, 299)}…` : text
}
