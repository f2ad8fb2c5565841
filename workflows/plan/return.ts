/** What a node that was asked to go down is seen to do: whether it has left its boot, acts, or runs on; and whether it went already. */
import semver from 'semver'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { Inspection } from '../model/observation.ts'
import { isUp } from './life.ts'
import { type NodePlan, switchOf } from './plan.ts'
import { runsTarget, waits } from './slot.ts'

type Seen = Pick<Inspection, 'stage' | 'bootId'>

/** Whether a node that was asked acts: it is on its way down, or back already. */
export const acts = (seen: Seen, bootId: string): boolean => seen.bootId !== bootId || !isUp(seen)

/** What became of the requests so far. */
export type Asked = {
  /** it was seen on its way down, in the boot that it was to leave */
  underWay: boolean
  /** why the last request failed, or could not be made once more */
  refusal?: Failure | undefined
  /** stage on its way down in which it was seen to the end */
  hangsIn?: string | undefined
}

/** What is remembered of the boots under which something was begun. */
type BegunUnder = {
  /** this very request may have been made already, by us */
  begunBefore: boolean
  /** an installation of ours was begun under the boot that runs */
  begun: boolean
}

/**
 * Whether a node that is to be rebooted has left its planned boot already, and nothing waits there for one more; undefined where it
 * is still to go. It may have been booted in between, and been installed once more under the boot that runs.
 */
export function wentBefore(
  { before, work }: Pick<NodePlan, 'before' | 'work'>,
  seen: Inspection,
  { begunBefore, begun }: BegunUnder,
): { flippedEarly: boolean } | undefined {
  if (seen.bootId === before.bootId) return undefined
  // a restart wants another boot, whoever made it
  if (work.kind !== 'switch') return { flippedEarly: false }
  const runs = runsTarget(work, seen)
  const stillWaits = waits(work.image, seen) || (seen.otherSlot.state === 'unknown' && begun)
  return !runs && stillWaits ? undefined : { flippedEarly: !begunBefore && runs }
}

/**
 * The same of a node that one call installs and reboots; `requested`: that call was about to be made under an earlier boot. A boot
 * other than the planned one is of our doing only where the call was written down, which comes before it is made.
 */
export function wentByItself(
  plan: NodePlan,
  seen: Inspection,
  { begunBefore, requested }: { begunBefore: boolean; requested: boolean },
): { flippedEarly: boolean } | undefined {
  const { to } = switchOf(plan)
  const runs = plan.before.version !== to && semver.eq(seen.version, to)
  const isOurs = begunBefore && requested && seen.bootId !== plan.before.bootId
  return runs || isOurs ? { flippedEarly: !begunBefore } : undefined
}

const REQUESTS = 3

/** What became of the wait for a node that was asked, or may have been. */
type Waited = {
  /** it was seen to be up in its boot, or in another one, before its time was over */
  met: boolean
  /** what it answered last, if it did */
  last: Seen | undefined
  /** the boot that it is to leave */
  bootId: string
}

/** What is asked of a node, as far as its end is decided by it. */
type Terms = {
  node: NodeName
  /** it is asked again also where it acted on the request, and runs on all the same */
  repeats: boolean
  /** nothing kept it from being asked just now */
  mayAskAgain: boolean
  ranOn(asked: Asked): Failure
}

/** What follows: the node has left its boot, is asked again, or has failed to do as it was asked. */
export function afterWait(
  { met, last, bootId }: Waited,
  asked: Asked & { requests: number },
  { node, repeats, mayAskAgain, ranOn }: Terms,
): 'left' | 'ask again' | Failure {
  if (!met) {
    if (last && repeats) return ranOn({ ...asked, hangsIn: isUp(last) ? undefined : last.stage })
    return failure('never-returned', { hint: `talosctl -n ${node} version # and look at its console` })
  }
  if (last?.bootId !== bootId) return 'left'
  // whether the slot was written before it gave up can not be known, and is not repeated
  if (!mayAskAgain || (asked.underWay && !repeats)) return ranOn(asked)
  // the call that is late goes on, and may yet begin
  if (asked.refusal?.reason === 'install-timed-out') return asked.refusal
  return asked.requests < REQUESTS ? 'ask again' : ranOn(asked)
}

const because = (words: string, { refusal }: Asked): string => (refusal?.detail ? `${words}: ${refusal.detail}` : words)

/** Why a node that was asked to reboot is called not to have done so. */
export const notRebooted = ({ node }: Pick<NodePlan, 'node'>, asked: Asked): Failure =>
  asked.hangsIn === undefined
    ? failure('reboot-failed', {
        detail: because('asked, and the node runs on with the boot id that it had', asked),
        hint: `talosctl -n ${node} reboot`,
      })
    : failure('reboot-failed', {
        detail: `it hangs on its way down: its stage is ${asked.hangsIn}, and its boot id the one that it had`,
        hint: `talosctl -n ${node} reboot --mode force # skips the shutdown in which it hangs`,
      })

/** The same of a node that one call was to install and reboot. */
export const notReplaced = ({ node }: Pick<NodePlan, 'node'>, asked: Asked): Failure =>
  failure('install-failed', {
    detail: because(
      asked.underWay ? 'it gave the upgrade up, and runs on as before' : 'asked, and it runs on as before',
      asked,
    ),
    hint: `talosctl -n ${node} dmesg`,
  })
