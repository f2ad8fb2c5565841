/** Stands at the beginning of a hint for the command that was typed, which plan and steps do not know; flags may follow it. */
export const AGAIN = 'the same command again'
