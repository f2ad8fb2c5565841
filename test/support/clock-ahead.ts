/** Loaded before an entry: the clock on the wall of its computer is two hours ahead of everybody else's. */
const aheadMs = 2 * 3600 * 1000
const now = Date.now
Date.now = () => now() + aheadMs
globalThis.Date = new Proxy(Date, {
  construct: (target, given) => new target(...((given.length === 0 ? [Date.now()] : given) as [number])),
})
