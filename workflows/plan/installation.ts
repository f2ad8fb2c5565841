/** What became of an installation, as the node tells it; the exit code only says how talosctl fared. */
import { AGAIN } from '../model/again.ts'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { Inspection } from '../model/observation.ts'
import { exitText, isPermanent } from './installer-exit.ts'
import type { Switch } from './plan.ts'
import { runsTarget, slotObjection, waits } from './slot.ts'

type Target = Pick<Switch, 'to' | 'schematic' | 'image'>

type BootAndSlot = Pick<Inspection, 'bootId' | 'otherSlot'>

/** Whether it is told at all what waits in the other slot. */
export const isRead = ({ otherSlot }: BootAndSlot): boolean =>
  !(otherSlot.state === 'unknown' && otherSlot.why === 'unread')

/** Whether there is nothing to install: the target runs already, or waits for the next boot. */
export const holdsTarget = (target: Target, seen: Inspection): boolean =>
  runsTarget(target, seen) || waits(target.image, seen)

/** What boots next, and since when it waits. */
export const waiting = (
  { image }: Pick<Target, 'image'>,
  { otherSlot }: BootAndSlot,
): { image: string; since?: string } => ({
  image,
  ...(otherSlot.state === 'installed' && otherSlot.at !== undefined ? { since: otherSlot.at } : {}),
})

/**
 * Why an installation may not be begun, or not once more. `again`: this run may have begun it; `begun`: somebody of ours did under
 * the boot that runs. That a person asked for one more try was judged by the plan; what a killed process of this run tried is
 * enough.
 */
export function installObjection(
  node: NodeName,
  image: string,
  seen: BootAndSlot,
  { begunBefore, begun }: { begunBefore: boolean; begun: boolean },
): Failure | undefined {
  const { otherSlot } = seen
  const wasRefused =
    otherSlot.state === 'install-failed' && otherSlot.image === image && isPermanent(otherSlot.exitCode)
  if (begunBefore && wasRefused) return whyNotInstalled(node, seen, seen, '')
  return slotObjection({ node, facts: seen, image, begun: begunBefore || begun, retry: true })
}

/** Why an installation that was looked at and written down may not be begun any more; undefined where it may. */
export function changedSinceLook(
  node: NodeName,
  image: string,
  before: BootAndSlot,
  now: BootAndSlot,
): Failure | undefined {
  if (now.bootId !== before.bootId) {
    const detail = 'the node booted right before it was to be installed'
    return failure('install-failed', { detail, hint: AGAIN })
  }
  // what was written down just now was not begun yet; the first look has judged what was begun before
  return slotObjection({ node, facts: now, image, begun: false, retry: true })
}

/** That a node is silent after an installation was begun says nothing about how that ended. */
export const unseen = (node: NodeName, why: Failure): Failure =>
  why.reason === 'install-timed-out'
    ? why
    : failure('install-unseen', { detail: why.detail ?? why.reason, hint: `${machinedLog(node)} # then run again` })

/** Why an installation that was begun is not in the other slot now; `said` is what talosctl had to say. */
export function whyNotInstalled(
  node: NodeName,
  before: BootAndSlot,
  { bootId, otherSlot }: BootAndSlot,
  said: string,
): Failure {
  const hint = machinedLog(node)
  const failed = (words: string, reason: Failure['reason'] = 'install-failed', more = '') =>
    failure(reason, { detail: said ? `${words}: ${said}` : words, hint: `${hint}${more}` })
  if (bootId !== before.bootId) return failed('the node went down while it was installed')
  switch (otherSlot.state) {
    case 'install-failed':
      return failed(
        exitText(otherSlot.exitCode),
        isPermanent(otherSlot.exitCode) ? 'installer-refused' : 'install-failed',
      )
    case 'cut-off':
      return failed('the installer was cut off')
    case 'installed':
      return failed(`${otherSlot.image} waits in the other slot`)
    case 'unknown':
      return failed('the log of machined does not tell how it ended', 'install-unseen', ' # then run again')
    default:
      return failed('the node tells of no installation')
  }
}

/** What tells how an installation ended. */
export const machinedLog = (node: NodeName): string => `talosctl -n ${node} logs machined`
