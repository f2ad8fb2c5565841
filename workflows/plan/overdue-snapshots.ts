/**
 * The runs whose snapshots of etcd are let go of, so that no more than `keep` are left, of runs in their order: first of all those
 * that took no node down, since a later snapshot holds all that theirs does; then the oldest ones. A row of runs that all
 * fail before they disrupt anything costs one old snapshot at most.
 */
export function overdueSnapshots(runs: readonly string[], keep: number, tookNoneDown: ReadonlySet<string>): string[] {
  const idle = runs.filter((run) => tookNoneDown.has(run))
  const others = runs.filter((run) => !tookNoneDown.has(run))
  return [...idle, ...others].slice(0, Math.max(0, runs.length - keep))
}
