import { type Doorbell, greet } from './greet.ts'

export type Knock = (at: Doorbell, signal: AbortSignal) => Promise<boolean>

/** Whether an API answers who greets it: the cheapest sign of life there is. */
export const knock: Knock = async (at, signal) => (await greet(at, signal)) !== undefined
