import type { Operations } from '../model/cluster.ts'

/** Longer than any phase in which the API server may be away, so that nobody takes the cluster over meanwhile. */
export const leaseMs = ({ deadlines, drain }: Operations): number =>
  Math.max(...Object.values(deadlines), drain.timeoutMs, drain.detachMs) + MARGIN_MS

const MARGIN_MS = 5 * 60_000
