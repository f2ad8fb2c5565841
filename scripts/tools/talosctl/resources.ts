/** One object of `talosctl get -o json`. */
export type Resource = { node: string; id: string; spec: unknown; event?: string }

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
    if (resource) found(resource)
  }
}

/** The resources in a complete output. What is no resource is skipped, so a node that sends garbage has none. */
export function readResources(stdout: string): Resource[] {
  const resources: Resource[] = []
  const feed = resourceReader((resource) => resources.push(resource))
  for (const line of stdout.split('\n')) feed(line)
  return resources
}

function toResource(text: string): Resource | undefined {
  try {
    const { node, metadata, spec, event } = JSON.parse(text)
    if (typeof metadata?.id !== 'string') return undefined
    return { node: String(node ?? ''), id: metadata.id, spec, ...(typeof event === 'string' ? { event } : {}) }
  } catch {
    return undefined
  }
}
