/** How a node stands at the end of a run: seen, not assumed. */
export type Verdict =
  | 'unchanged'
  | 'upgraded'
  | 'rolled-back'
  /** the new version waits in the other slot for the next reboot */
  | 'installed-not-rebooted'
  /** rebooted by someone else into the version that we had installed */
  | 'flipped-early'
  /** booted meanwhile, and not by us; it runs what it ran */
  | 'rebooted'
  /** came back and never got ready */
  | 'stuck'
  | 'unreachable'
  | 'refused'
  | 'interrupted'

/** What a run may leave a node as without having failed at it. */
const GOOD: ReadonlySet<Verdict> = new Set<Verdict>(['unchanged', 'upgraded', 'flipped-early', 'rebooted'])

export const isGood = (verdict: Verdict): boolean => GOOD.has(verdict)

/** What was read from the node to reach the verdict; every field is optional because a node may not answer. */
export type Evidence = {
  version?: string
  versionBefore?: string
  schematic?: string
  bootId?: string
  bootIdBefore?: string
  stage?: string
  ready?: boolean
  etcd?: string
  /** the image that boots next, and since when it waits (ISO time); with a doubt where it waits only as far as we know */
  waiting?: { image: string; since?: string; doubt?: string }
}
