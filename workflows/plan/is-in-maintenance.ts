import type { NodeObservation } from '../model/observation.ts'

/** A machine without a configuration is none of the cluster's yet, and needs nobody to wait for it. */
export const isInMaintenance = (seen: NodeObservation | undefined): boolean =>
  seen?.reachable === false && seen.failure.reason === 'node-in-maintenance'
