/** Splits the output of `logs` and `dmesg`, where each line begins with `<node>: `, by the nodes that were asked. */
export function linesByNode(asked: readonly string[], stdout: string): Map<string, string[]> {
  const lines = new Map<string, string[]>()
  let last: string[] | undefined
  for (const line of stdout.split('\n')) {
    const node = asked.find((address) => line.startsWith(`${address}: `))
    if (node === undefined) {
      // The rest of a message that had line breaks in it.
      if (line !== '') last?.push(line)
      continue
    }
    last = lines.get(node) ?? []
    lines.set(node, last)
    last.push(line.slice(node.length + 2))
  }
  return lines
}
