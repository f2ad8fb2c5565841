/** Every verb that a cluster may be asked: each has a planner of its name. */
export const VERB_NAMES = ['upgrade', 'reboot'] as const

export type VerbName = (typeof VERB_NAMES)[number]
