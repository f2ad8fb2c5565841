/** One object of `talosctl get -o json`. One that can not be read has neither node nor id, and is never dropped. */
export type Resource = { node: string; id: string; version?: string; spec: unknown; event?: string }

/**
 * Splits what `talosctl get -o json` prints, indented objects one after the other, into resources, as it comes: feed it
 * lines. An object ends at a brace in the first column (encoding/json with SetIndent, output/json.go).
 */
export function resourceReader(found: (resource: Resource) => void): (line: string) => void {
  let text = ''
  return (line) => {
    text += `${line}\n`
    if (!line.startsWith('}')) return
    const resource = toResource(text)
    text = ''
    found(resource)
  }
}

/** The resources in a complete output. */
export function readResources(stdout: string): Resource[] {
  const resources: Resource[] = []
  const feed = resourceReader((resource) => resources.push(resource))
  for (const line of stdout.split('\n')) feed(line)
  return resources
}

function toResource(text: string): Resource {
  try {
    const { node, metadata, spec, event } = JSON.parse(text)
    // An id that looks like a number is printed as one: those of extensions do.
    return {
      node: String(node ?? ''),
      id: String(metadata?.id ?? ''),
      ...(metadata?.version === undefined ? {} : { version: String(metadata.version) }),
      spec,
      ...(typeof event === 'string' ? { event } : {}),
    }
  } catch {
    return { node: '', id: '', spec: undefined }
  }
}
