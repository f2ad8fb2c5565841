import type { NodeName } from '../model/cluster.ts'
import type { NodeFacts } from '../model/observation.ts'

/** What is said of a node that answers, and takes its time. */
export const slowNote = (node: NodeName, { slowMs }: Pick<NodeFacts, 'slowMs'>): string[] =>
  slowMs === undefined ? [] : [`${node} is slow: one question took ${(slowMs / 1000).toFixed(1)} s`]
