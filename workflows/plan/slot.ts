/**
 * Whether the slot that does not run may be written: the one decision of a plan and of the step that installs. At most one
 * installation between two boots, since a second one overwrites the slot that runs, the only way back. What can not be
 * known is not repeated.
 */

import semver from 'semver'
import { AGAIN } from '../model/again.ts'
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { NodeFacts } from '../model/observation.ts'
import { exitText, isPermanent } from './installer-exit.ts'
import { VANILLA_SCHEMATIC } from './installer-image.ts'
import type { NodePlan, Switch } from './plan.ts'

export type Slot = {
  node: NodeName
  facts: Pick<NodeFacts, 'bootId' | 'otherSlot'>
  /** what is to be written */
  image: string
  /** an installation of ours was begun under the boot that runs, whatever became of it */
  begun: boolean
  /** a person asked for one more try of what failed for good */
  retry: boolean
}

/** Why the slot may not be written; undefined where it may. */
export function slotObjection({ node, facts: { otherSlot: slot }, image, begun, retry }: Slot): Failure | undefined {
  const reboot = `talosctl -n ${node} reboot # takes it to a known state first`
  const look = `talosctl -n ${node} logs machined`
  switch (slot.state) {
    case 'quiet':
      return undefined
    case 'install-failed':
      return !retry && slot.image === image && isPermanent(slot.exitCode)
        ? refusedBefore(node, exitText(slot.exitCode))
        : undefined
    case 'installed':
      return failure('other-version-waiting', {
        node,
        detail: `${slot.image} waits for the next reboot, and installing ${image} over it would destroy the way back`,
        hint: `talosctl -n ${node} reboot # boots it first`,
      })
    case 'installing':
      return beingInstalled(node, slot.image)
    case 'cut-off':
      return failure('install-unknown', {
        node,
        detail: `the installation of ${slot.image} was cut off`,
        hint: reboot,
      })
    case 'unknown':
      switch (slot.why) {
        case 'unread':
          return failure('install-unknown', {
            node,
            detail: begun
              ? 'an installation was begun since its last boot, and the log of machined can not be read'
              : 'the log of machined can not be read, so what waits in its other slot is not known',
            hint: begun ? reboot : look,
          })
        case 'wording':
          return failure('install-unknown', {
            node,
            detail: 'how its release words an installation in the log of machined is not known',
            hint: look,
          })
        case 'wrapped':
          // nobody of ours installed anything since that boot, so this is no repetition
          if (!begun) return undefined
          return failure('install-unknown', {
            node,
            detail:
              'an installation was begun since its last boot, and the log of machined no longer tells how it ended',
            hint: reboot,
          })
      }
  }
}

/** What is known beside the log before a boot. `upgradesTo`: what an upgrade of the node would boot, where that was looked up. */
export type BesideTheLog = Pick<Slot, 'begun'> & { upgradesTo?: string }

/**
 * Why the node may not be booted: another version would boot than the one that is meant, which for a node that is only to
 * restart is the one that runs. A log that does not tell of our own installation is no reason where the run has seen its end and
 * means to boot it, and is one for a restart: what `begun` tells of may wait.
 */
export function bootObjection(
  { node, work }: Pick<NodePlan, 'node' | 'work'>,
  { otherSlot: slot }: Pick<NodeFacts, 'otherSlot'>,
  { begun, upgradesTo }: BesideTheLog,
): Failure | undefined {
  const image = work.kind === 'switch' ? work.image : undefined
  switch (slot.state) {
    case 'quiet':
      return undefined
    case 'unknown':
      if (image !== undefined || !begun) return undefined
      return failure('install-unknown', {
        node,
        detail:
          'an installation was begun since its last boot, and the log of machined does not tell how it ended: another version may wait, and would boot instead of what runs',
        hint: `talosctl -n ${node} reboot # boots what waits, if anything does`,
      })
    case 'installed':
      if (slot.image === image) return undefined
      return failure(
        'other-version-waiting',
        image === undefined
          ? {
              node,
              detail: `${slot.image} waits in the other slot, and would boot instead of what runs`,
              hint:
                slot.image === upgradesTo
                  ? 'workflows/upgrade.ts # boots it, and verifies that'
                  : `talosctl -n ${node} reboot # boots it`,
            }
          : {
              node,
              detail: `${slot.image} waits for the next reboot: somebody installed it over ${image}`,
              hint: `talosctl -n ${node} reboot # boots it`,
            },
      )
    case 'installing':
      return beingInstalled(node, slot.image)
    case 'install-failed':
    case 'cut-off':
      if (image === undefined) {
        // a boot is what takes it to a known state, unless another version was ready to boot before
        if (slot.state === 'install-failed' || slot.over === undefined) return undefined
        return failure('install-unknown', {
          node,
          detail: `${slot.over} was installed since its last boot, and the installation of ${slot.image} over it was cut off: which of them boots, if any, is not known`,
          hint: `talosctl -n ${node} reboot # boots what is there`,
        })
      }
      return failure('install-unknown', {
        node,
        detail: `the installation of ${slot.image} ${slot.state === 'cut-off' ? 'was cut off' : 'failed'} after the one that is to be booted`,
        hint: `talosctl -n ${node} logs machined`,
      })
  }
}

const beingInstalled = (node: NodeName, image: string): Failure =>
  failure('install-unknown', {
    node,
    detail: `${image} is being installed right now`,
    hint: `talosctl -n ${node} logs machined # run again when it has ended`,
  })

/** The refusal of an image that the installer did not take, and will not take as things are. */
export const refusedBefore = (node: NodeName, why: string): Failure =>
  failure('installer-refused-before', {
    node,
    detail: why,
    hint: `${AGAIN} --retry # once the image or the machine configuration is changed`,
  })

/** Whether the image waits for the next reboot. */
export const waits = (image: string, { otherSlot }: Pick<NodeFacts, 'otherSlot'>): boolean =>
  otherSlot.state === 'installed' && otherSlot.image === image

/** Whether the node runs what it is to run. An image without extensions may tell of no schematic. */
export const runsTarget = (
  target: Pick<Switch, 'to' | 'schematic'>,
  { version, schematic }: Pick<NodeFacts, 'version' | 'schematic'>,
): boolean => semver.eq(version, target.to) && (schematic ?? VANILLA_SCHEMATIC) === target.schematic
