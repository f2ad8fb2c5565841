/** How a node stands at the end of a run: seen, not assumed. */
import type { NodeName } from './cluster.ts'
import type { Failure } from './failure.ts'

type Worth = {
  means: string
  /** what a run may leave a node as without having failed at it */
  good: boolean
  /** it runs the target, and well */
  upgraded?: true
  /** it was seen to run well after a boot: what was unwell before the run is told beside it */
  verified?: true
  /** how people are told, where the word alone does not say how well it went */
  told?: string
}

/** Every verdict, with what it means; nothing else says which of them are good. */
export const VERDICTS = {
  unchanged: { means: 'nothing was begun on it', good: true },
  upgraded: { means: 'runs the target, and well', good: true, upgraded: true, verified: true },
  'flipped-early': {
    means: 'rebooted by someone else into the version that we had installed',
    good: true,
    upgraded: true,
    verified: true,
    told: 'upgraded (someone else rebooted it)',
  },
  rebooted: { means: 'booted, by us where that was asked for, and runs what it ran', good: true, verified: true },
  'rolled-back': { means: 'fell back to the version that it had', good: false },
  'installed-not-rebooted': { means: 'the new version waits in the other slot for the next reboot', good: false },
  stuck: { means: 'came back and never got ready', good: false },
  unreachable: { means: 'does not answer', good: false },
  refused: { means: 'a safety rule kept it from being changed', good: false },
  interrupted: { means: 'something was begun on it, and not seen to end', good: false },
} as const satisfies Record<string, Worth>

export type Verdict = keyof typeof VERDICTS

const worthOf = (verdict: Verdict): Worth => VERDICTS[verdict]

export const isGood = (verdict: Verdict): boolean => worthOf(verdict).good

export const isUpgraded = (verdict: Verdict): boolean => worthOf(verdict).upgraded === true

/** A verdict as people read it; what was unwell before the run, and is so still, is part of it. */
export function verdictText(verdict: Verdict, { unmet = [], unsettled = [] }: Evidence = {}): string {
  const text = worthOf(verdict).told ?? verdict
  return worthOf(verdict).verified && unmet.length + unsettled.length > 0 ? `${text}, unwell as before` : text
}

/** How one node stands, and what failed on it. */
export type NodeVerdict = { node: NodeName; verdict: Verdict; evidence: Evidence; failure?: Failure }

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
  /** conditions of the machine that are not met, as before the run */
  unmet?: string[]
  /** what Kubernetes does not find well of it, as before the run */
  unsettled?: string[]
}
