/** How a line names the node that it is about, and what it says of it; `talosctl get` of 1.14 begins with the node. */
const SHAPES = [
  // hashicorp/go-multierror, below `2 errors occurred:`
  /^\s+\* (\S+): (.+)$/,
  // `error from node`, `error getting version from node`, `error listing resources on node`, `error executing reboot on node`
  /\berror (?:[\w ]+ )?(?:from|on) node (\S+): (.+)$/,
  /\berror during upgrade: node (\S+): (.+)$/,
  // talosctl that asks the node for its version first
  /^(?:error checking Talos version compatibility: )?(\S+): (error (?:getting|parsing) server version: .+)$/,
]

/** What talosctl says about single nodes of a call to many: address → error. */
export function nodeErrors(stderr: string): Map<string, string> {
  const errors = new Map<string, string>()
  for (const line of stderr.split('\n')) {
    const [, node, text] = SHAPES.map((shape) => shape.exec(line)).find((match) => match !== null) ?? []
    if (node !== undefined && text !== undefined && node !== 'rpc') errors.set(node, text)
  }
  return errors
}
