/** Operators whose part in a drain the lab plays. */
export const operators = ['cloudnative-pg', 'longhorn'] as const

export type Operator = (typeof operators)[number]
