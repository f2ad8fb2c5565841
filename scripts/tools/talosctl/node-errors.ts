/**
 * What talosctl says about single nodes of a call to many: address → error, from the lines `\t* 10.0.0.1: rpc error: …`
 * that hashicorp/go-multierror prints below `2 errors occurred:`, and from `error from node 10.0.0.1: …` of the calls
 * that are multiplexed in the client.
 */
export function nodeErrors(stderr: string): Map<string, string> {
  const errors = new Map<string, string>()
  for (const line of stderr.split('\n')) {
    const match = /^\s+\* (\S+): (.+)$/.exec(line) ?? /error from node (\S+): (.+)$/.exec(line)
    if (match?.[1] !== undefined && match[2] !== undefined && match[1] !== 'rpc') errors.set(match[1], match[2])
  }
  return errors
}
