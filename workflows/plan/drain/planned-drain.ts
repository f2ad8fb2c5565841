import type { PlannedDrain } from '../../model/event.ts'
import type { KubernetesPlan } from '../plan.ts'

/** What a drain means, as people are told: where nothing is evicted only why. */
export const plannedDrain = ({ drain }: KubernetesPlan): PlannedDrain =>
  drain.how === 'drained'
    ? { evicts: drain.evicts, obstacles: drain.obstacles }
    : { whyNot: drain.whyNot, evicts: [], obstacles: [] }
