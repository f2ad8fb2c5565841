import type { Cluster, NodeName } from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { goesBy } from '../../workflows/model/goes-by.ts'
import { nearest } from '../../workflows/model/nearest.ts'

/** The declared names of nodes that were given by name or address. */
export function namedNodes(cluster: Cluster, given: readonly string[]): Result<NodeName[], Failure[]> {
  const failures: Failure[] = []
  const names = given.flatMap((word) => {
    const node = cluster.nodes.find((n) => goesBy(n, word))
    if (node) return [node.name]
    const meant = nearest(
      word,
      cluster.nodes.flatMap((n) => [n.name, n.address]),
    )
    failures.push(
      failure('node-unknown', {
        detail: `${cluster.name} declares no node ${word}`,
        ...(meant ? { hint: `did you mean ${meant}?` } : {}),
      }),
    )
    return []
  })
  return failures.length > 0 ? { ok: false, failure: failures } : { ok: true, value: [...new Set(names)] }
}
