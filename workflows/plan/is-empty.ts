import type { UpgradePlan } from './upgrade-plan.ts'

/** Whether carrying the plan out would change nothing at all. */
export const isEmpty = ({ canary, staleCordons }: UpgradePlan): boolean =>
  canary === undefined && staleCordons.length === 0
