import type { PlanSummary } from '../../workflows/model/event.ts'

/** What is done, and what it takes the nodes to, where that is another thing than what they run. */
export const headline = (what: string, { target }: Pick<PlanSummary, 'target'>): string =>
  target === undefined ? what : `${what} to ${target}`
