import { type NodePlan, PLAN_VERSION, type Plan, type Work } from './plan.ts'

/** The plan of an earlier run as far as it is one that this version knows; another form, or work that is not known yet, is none. */
export function readPlan(value: unknown): Plan | undefined {
  const { v, nodes } = Object(value) as Partial<Record<keyof Plan, unknown>>
  if (v !== PLAN_VERSION || !Array.isArray(nodes)) return undefined
  return nodes.every(isKnown) ? (value as Plan) : undefined
}

const isKnown = (value: unknown): boolean => {
  const { node, before, work } = Object(value) as Partial<Record<keyof NodePlan, unknown>>
  const { kind } = Object(work) as { kind?: unknown }
  const { bootId, version } = Object(before) as { bootId?: unknown; version?: unknown }
  return [node, bootId, version, kind].every((text) => typeof text === 'string') && Object.hasOwn(KINDS, String(kind))
}

/** What is done to nodes by the verbs of today. */
const KINDS: Record<Work['kind'], true> = { leave: true, switch: true, restart: true }
