import { type ForeignMap, list, map, text } from '../model/foreign-json.ts'
import { PLAN_VERSION, type Plan, type Work } from './plan.ts'

/** The plan of an earlier run as far as it is one that this version knows; another form, or work that is not known yet, is none. */
export function readPlan(value: unknown): Plan | undefined {
  const { v, nodes } = map(value)
  if (v !== PLAN_VERSION || !Array.isArray(nodes)) return undefined
  return list(nodes).every(isKnown) ? (value as Plan) : undefined
}

const isKnown = ({ node, before, work }: ForeignMap): boolean => {
  const { bootId, version } = map(before)
  const { kind } = map(work)
  return [node, bootId, version, kind].every((value) => text(value) !== undefined) && Object.hasOwn(KINDS, String(kind))
}

/** What is done to nodes by the verbs of today. */
const KINDS: Record<Work['kind'], true> = { leave: true, switch: true, restart: true }
