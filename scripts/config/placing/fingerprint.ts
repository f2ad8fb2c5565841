import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { parse } from 'yaml'

/**
 * What tells a generated file from one that somebody edited. Of a talosconfig the client certificate and its key do not
 * count: `talosctl config new` and every run of talhelper make others, and nobody writes them by hand.
 */
export function fingerprint(name: string, content: Uint8Array): string {
  const counts = basename(name) === 'talosconfig' ? (withoutClient(content) ?? content) : content
  return createHash('sha256').update(counts).digest('hex')
}

function withoutClient(content: Uint8Array): string | undefined {
  try {
    return JSON.stringify(parse(Buffer.from(content).toString()), (key, value: unknown) =>
      key === 'crt' || key === 'key' ? undefined : value,
    )
  } catch {
    return undefined
  }
}
