/** The signal of somebody who can not be interrupted, or of something that is never lost. */
export const never: AbortSignal = new AbortController().signal
