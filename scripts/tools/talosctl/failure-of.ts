import { AGAIN } from '../../../workflows/model/again.ts'
import { type Failure, type FailureReason, failure } from '../../../workflows/model/failure.ts'
import type { CommandResult } from '../../run.ts'
import { howEnded, isDone, isMissing, notStarted } from '../ended.ts'

/**
 * What talosctl says, what it means. The first match counts; its group `says` is what is told of it, where there is one.
 * Exit codes are no help: talosctl knows 0 and 1.
 */
const MEANINGS: readonly { says: RegExp; reason: FailureReason; detail?: string; hint?: string }[] = [
  { says: /^talosconfig is missing/, reason: 'talosconfig-missing' },
  {
    says: /failed to open config file|failed to resolve config|talos config file is empty|failed to determine endpoints/,
    reason: 'talosconfig-invalid',
  },
  { says: /error constructing client: /, reason: 'talosconfig-invalid' },
  // Go words what the server's alert says as `remote error`: it is about our certificate, not about theirs.
  {
    says: /remote error: tls: expired certificate|client certificate (has )?expired/,
    reason: 'client-certificate-expired',
    hint: 'workflows/gen-config.ts --renew-talosconfig',
  },
  {
    says: /remote error: tls: (unknown certificate authority|bad certificate|certificate required|unknown certificate)/,
    reason: 'wrong-ca',
    detail: 'it refuses our client certificate',
    hint: "talosctl config info # is this talosconfig the cluster's?",
  },
  // A node that was wiped and waits in maintenance says the same as a stranger.
  {
    says: /authentication handshake failed: .*(signed by unknown authority|verification (failure|error))/,
    reason: 'wrong-ca',
    detail: "its certificate is not signed by the cluster's CA",
    hint: "talosctl config info # is this talosconfig the cluster's? or was the node wiped?",
  },
  {
    says: /authentication handshake failed: .*has expired or is not yet valid/,
    reason: 'node-unreachable',
    detail: 'its certificate has expired or is not yet valid: one of the clocks may be wrong',
  },
  // Talos' ImageVerificationConfig: its pull words a refusal without a code of its own, its Verify as PermissionDenied.
  {
    says: /(?<says>verification denied by matched rule \(\S+\)|image verification failed: [\s\S]+?)\s*(?=\n\s*\n|$)/,
    reason: 'image-refused',
  },
  { says: /code = (PermissionDenied|Unauthenticated)/, reason: 'permission-denied' },
  {
    says: /error parsing server version|error unmarshal|failed to unmarshal|cannot parse invalid wire-format/,
    reason: 'garbage-answer',
  },
  // The node was reached; what could not be dialled is its own etcd.
  { says: /transport: Error while dialing: dial tcp \S+:2379:/, reason: 'etcd-member-unhealthy' },
  { says: /transport: (Error while dialing|authentication handshake failed)/, reason: 'node-unreachable' },
]

/** Meant only where the call just reads: of a call that changes something they leave open whether it did. */
const SILENCE = /code = (Unavailable|DeadlineExceeded|Canceled)|context deadline exceeded|error reading from server/

/**
 * Why a call of talosctl failed. `otherwise` is the reason when the text says nothing about the way to the node; without
 * it the call only reads, and a lost connection or a deadline means that the node does not answer.
 */
export function failureOf(
  result: CommandResult & { slow?: true; tookMs?: number; maintenance?: true },
  otherwise?: { failed: FailureReason; late: FailureReason },
): Failure {
  const said = gist(result.stderr)
  if (isMissing(result)) return notStarted('talosctl', result)
  if (result.maintenance)
    return failure('node-in-maintenance', {
      detail: 'is in maintenance and waits for its configuration',
      hint: 'talosctl apply-config --insecure # with the configuration that was generated for it',
    })
  const late = result.ended.by === 'deadline'
  const meaning = MEANINGS.find(({ says }) => says.test(result.stderr))
  if (meaning && !late)
    return failure(meaning.reason, {
      detail: meaning.detail ?? oneLine(meaning.says.exec(result.stderr)?.groups?.says) ?? said,
      hint: meaning.hint,
    })
  if (result.ended.by === 'abort') return failure(otherwise?.failed ?? 'command-failed', { detail: 'was interrupted' })
  if (result.slow && !otherwise) {
    const seconds = Math.round((result.tookMs ?? 0) / 1000)
    const hint = `${AGAIN} # with more time: deadlines.observe of operations.yaml`
    return failure('node-slow', { detail: `is there, and gave no answer in ${seconds} s`, hint })
  }
  // What a talosctl that we ended has to say is only that it was ended.
  if (late)
    return failure(otherwise?.late ?? 'node-unreachable', {
      detail: otherwise ? 'did not end before the deadline' : 'no answer before the deadline',
    })
  if (!otherwise && SILENCE.test(result.stderr)) return failure('node-unreachable', { detail: said || 'no answer' })
  return failure(otherwise?.failed ?? 'command-failed', { detail: said || `talosctl ${howEnded(result)}` })
}

/**
 * The call never reached the API that it was for, so nothing happened and another endpoint may be asked. From 1.14 on
 * talosctl asks a node for its version before it does anything, and then does nothing where that is not told.
 */
export const neverArrived = (result: CommandResult): boolean =>
  !isDone(result) &&
  /transport: (Error while dialing(?!: dial tcp \S+:2379:)|authentication handshake failed)|error getting server version: rpc error: code = Unavailable/.test(
    result.stderr,
  )

/** Go joins errors with line breaks, and each of them may be the cause. */
const oneLine = (text: string | undefined): string | undefined => text && shortened(text.replace(/\s*\n\s*/g, '; '))

const shortened = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text)

/** The one sentence in what talosctl printed: no warnings, no usage, no wrapping of gRPC, at most 300 characters. */
function gist(stderr: string): string {
  const lines = stderr
    .split(/\n\s*\nUsage:/)[0]
    ?.split('\n')
    .map((line) => line.trim().replace(/^\* /, ''))
    .filter((line) => line !== '' && !/^(WARNING: |Signal received|\d+ errors? occurred:)/.test(line))
  const text = (lines?.at(-1) ?? '')
    .replace(/rpc error: code = (\w+) desc = /g, '')
    .replace(/^ERROR: /, '')
    .replace(
      /^(error ([\w ]+ )?((from|on) node|during upgrade: node) )?[0-9a-f.:]+: (error getting server version: )?/,
      '',
    )
    .replace(/^.*connection error: desc = "transport: (Error while dialing: )?(.*)"$/, '$2')
  return shortened(text)
}
