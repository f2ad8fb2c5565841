import { FAILURES, type Failure } from '../../workflows/model/failure.ts'
import { printable } from '../../workflows/model/printable.ts'

/** A failure on one line: the node first, what happened, and in brackets what to type. */
export function failureText({ reason, node, detail, hint }: Failure): string {
  const what = detail ?? FAILURES[reason].means
  const subject = node === undefined || what.startsWith(`${node} `) || what.startsWith(`${node}:`) ? '' : `${node}: `
  return printable(`${subject}${what}${hint === undefined ? '' : ` (${hint})`}`)
}
