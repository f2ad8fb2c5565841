import type { NodeName } from '../model/cluster.ts'
import type { NodeVerdict, Verdict } from '../model/verdict.ts'
import type { Begun } from './judge.ts'

/** Whether an installation was begun, or a machine booted, since the plan was made. */
export const hasChanged = (found: readonly NodeVerdict[], begun: Readonly<Record<NodeName, Begun>>): boolean =>
  Object.values(begun).some(({ install, flipped }) => install !== 'no' || flipped) ||
  found.some(({ verdict }) => !LEFT_RUNNING.has(verdict))

/** Of nodes that run on; what waits in the other slot was begun by us, or waited before. */
const LEFT_RUNNING: ReadonlySet<Verdict> = new Set(['unchanged', 'refused', 'interrupted', 'installed-not-rebooted'])
