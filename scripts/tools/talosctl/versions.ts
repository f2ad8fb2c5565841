import semver from 'semver'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import type { CommandResult } from '../../run.ts'
import { failureOf } from './failure-of.ts'
import { nodeErrors } from './node-errors.ts'

/** Address → version, or why there is none. Nodes about which nothing was said are absent. */
export type Versions = Map<string, { ok: true; value: string } | { ok: false; failure: Failure }>

/**
 * Reads `talosctl version` of the nodes that were asked. The text, because talosctl 1.14 names no node in its JSON. Nodes
 * that fail are a warning next to exit 0 up to 1.13, as long as one answers, and from 1.14 on a line next to exit 1. A
 * version that is none is a garbage answer: it would break `get`.
 */
export function readVersions(asked: readonly string[], result: CommandResult): Versions {
  const versions: Versions = new Map()
  const only = asked.length === 1 ? asked[0] : undefined
  const [, server = ''] = result.stdout.split(/^Server:$/m)
  for (const block of server.split(/^\s*(?=NODE:)/m)) {
    const node = only ?? /^NODE:\s+(\S+)/.exec(block)?.[1]
    if (node === undefined || block.trim() === '') continue
    const tag = /^\s*Tag:[^\S\n]*(.*)$/m.exec(block)?.[1]
    // where the output broke off, the rest of the block may only be missing
    if (tag === undefined && result.ended.by === 'deadline') continue
    versions.set(
      node,
      tag?.startsWith('v') && semver.valid(tag)
        ? { ok: true, value: tag }
        : { ok: false, failure: failure('garbage-answer', { detail: `says that its version is "${tag ?? ''}"` }) },
    )
  }
  for (const [address, text] of nodeErrors(result.stderr))
    versions.set(address, { ok: false, failure: failureOf({ ...result, stderr: text }) })
  if (only !== undefined && !versions.has(only)) versions.set(only, { ok: false, failure: failureOf(result) })
  return versions
}
