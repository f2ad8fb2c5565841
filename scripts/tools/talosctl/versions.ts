import semver from 'semver'
import * as v from 'valibot'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import type { CommandResult } from '../../run.ts'
import { failureOf } from './failure-of.ts'
import { nodeErrors } from './node-errors.ts'

/** Address → version, or why there is none. Nodes about which nothing was said are absent. */
export type Versions = Map<string, { ok: true; value: string } | { ok: false; failure: Failure }>

const Answer = v.object({
  metadata: v.optional(v.object({ hostname: v.optional(v.string(), '') })),
  version: v.object({ tag: v.string() }),
})

/**
 * Reads `talosctl version --json` of the nodes that were asked. Up to 1.13 nodes that fail are a warning next to exit 0
 * as long as one answers (machinery/client/reply.go). A version that is none is a garbage answer: it would break `get`.
 */
export function readVersions(asked: readonly string[], result: CommandResult): Versions {
  const versions: Versions = new Map()
  for (const line of result.stdout.split('\n').filter((l) => l.trim() !== '')) {
    const answer = v.safeParse(Answer, parseJson(line))
    const hostname = (answer.success && answer.output.metadata?.hostname) || (asked.length === 1 ? asked[0] : undefined)
    if (hostname === undefined) continue
    const tag = answer.success ? answer.output.version.tag : undefined
    versions.set(
      hostname,
      tag?.startsWith('v') && semver.valid(tag)
        ? { ok: true, value: tag }
        : { ok: false, failure: failure('garbage-answer', { detail: `says that its version is "${tag ?? line}"` }) },
    )
  }
  for (const [address, text] of nodeErrors(result.stderr))
    versions.set(address, { ok: false, failure: failureOf({ ...result, stderr: text }) })
  const only = asked.length === 1 ? asked[0] : undefined
  if (only !== undefined && !versions.has(only)) versions.set(only, { ok: false, failure: failureOf(result) })
  return versions
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
