/** labs that run at the same time */
export const atOnce = 2

const shareSeconds = 600

/** How long files take that are started in this order, each as soon as there is room for it. */
function lasts(seconds: readonly number[]): number {
  const free = Array.from({ length: atOnce }, () => 0)
  for (const own of seconds) free[free.indexOf(Math.min(...free))] = Math.min(...free) + own
  return Math.max(...free)
}

/** Cuts files into shares of at most ten minutes each, the longest first in each; a longer file is a share of its own. */
export function sharesOf(files: readonly string[], secondsOf: (file: string) => number): string[][] {
  const sorted = [...files].sort((a, b) => secondsOf(b) - secondsOf(a) || (a < b ? -1 : 1))
  const shares: string[][] = []
  for (const file of sorted) {
    const share = shares.find((others) => lasts([...others, file].map(secondsOf)) <= shareSeconds)
    if (share) share.push(file)
    else shares.push([file])
  }
  return shares
}
