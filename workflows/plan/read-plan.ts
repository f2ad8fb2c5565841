import type { Plan } from './plan.ts'

/** The plan of an earlier run as far as it is one that this version knows; a later one, or another form, is none. */
export function readPlan(value: unknown): Plan | undefined {
  const { verb, nodes } = Object(value) as Partial<Record<keyof Plan, unknown>>
  if (typeof verb !== 'string' || !VERBS.includes(verb) || !Array.isArray(nodes)) return undefined
  const isKnown = nodes.every((node) => NEEDED.every((key) => typeof Object(node)[key] === 'string'))
  return isKnown ? (value as Plan) : undefined
}

const VERBS: readonly string[] = ['upgrade']

/** What is asked of a node's plan when its node is judged. */
const NEEDED = ['node', 'role', 'work', 'path', 'from', 'to', 'image', 'schematic', 'bootId'] as const
