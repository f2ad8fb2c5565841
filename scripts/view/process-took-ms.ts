/** How long this process has been at work: what a command took that is no run. */
export const processTookMs = (): number => Math.round(performance.now())
