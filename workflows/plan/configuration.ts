/**
 * The machine configuration must not change between installation and reboot, nor be staged or on trial when either begins:
 * the installer judged the one that ran, and a slot that can not load what is on disk boots for ever.
 */

import semver from 'semver'
import type { NodeName, TalosVersion } from '../model/cluster.ts'
import { type Failure, failure, type Result } from '../model/failure.ts'
import type { Configuration, NodeObservation } from '../model/observation.ts'

/**
 * Why a node may not be installed or rebooted as it is configured; `installed` is the hash at its installation, and `pending` that of
 * what a person has asked to boot although another one runs.
 */
export function configurationObjection(
  node: NodeName,
  seen: Result<Configuration>,
  { installed, pending }: { installed?: string | undefined; pending?: string | undefined } = {},
): Failure | undefined {
  const show = (id: string): string => `talosctl -n ${node} get machineconfig ${id} -o yaml`
  if (!seen.ok)
    return isUnchecked(seen)
      ? undefined
      : failure('configuration-unread', {
          node,
          detail: `its machine configuration can not be read: ${seen.failure.detail ?? seen.failure.reason}`,
          hint: show('v1alpha1'),
        })
  if (seen.value.pending !== 'nothing' && seen.value.hash === pending) return undefined
  switch (seen.value.pending) {
    case 'other-on-disk':
      return failure('configuration-pending', {
        node,
        detail: 'another machine configuration than the one that runs is on its disk: staged, or on trial',
        hint: `${show('persistent')} # ${INTO_IT}, or apply the one that is meant`,
      })
    case 'perhaps-on-trial':
      return failure('configuration-pending', {
        node,
        detail: 'its machine configuration was changed since its boot and is not on its disk: on trial, or was',
        hint: `${show('v1alpha1')} # apply it if it is meant, or ${INTO_IT}`,
      })
    case 'nothing':
      if (seen.value.judged?.objection !== undefined)
        return failure('configuration-not-accepted', {
          node,
          detail: `Talos ${seen.value.judged.for} does not take its machine configuration: ${seen.value.judged.objection}`,
          hint: `talosctl -n ${node} edit machineconfig # what it takes, then run it again`,
        })
      if (installed === undefined || installed === seen.value.hash) return undefined
      return failure('configuration-changed', {
        node,
        detail: 'its machine configuration was changed since the installation, which judged the one before',
        hint: `${show('v1alpha1')} # if the target takes it, reboot the node by hand`,
      })
  }
}

const INTO_IT = 'boot what is on the disk: workflows/reboot.ts --accept-pending-configuration'

/** The talosconfig's role may not read configurations, which are secret. */
export const isUnchecked = (seen: Result<Configuration>): boolean =>
  !seen.ok && seen.failure.reason === 'permission-denied'

/** What a plan says about nodes whose configuration was not looked at; without `to` they run no other release afterwards. */
export const uncheckedNote = (nodes: readonly NodeName[], to?: TalosVersion): string[] => {
  if (nodes.length === 0) return []
  const what =
    to === undefined
      ? 'whether a machine configuration is staged or on trial'
      : `whether Talos ${to} takes the machine configuration, nor whether one is staged, on trial, or changed between installation and reboot`
  return [`${nodes.join(', ')}: not checked ${what}: that needs the role os:admin`]
}

/** The same of nodes on which a version waits, and neither the journals here nor a Node tell on which configuration. */
export const unrememberedNote = (nodes: readonly NodeName[]): string[] =>
  nodes.length === 0
    ? []
    : [
        `${nodes.join(', ')}: not checked whether the machine configuration was changed since the version that waits was installed: neither the journals of this folder nor its Node tell on which one that was`,
      ]

/** The same of nodes whose configuration was read, and judged by nobody. */
export const unjudgedNote = (nodes: readonly NodeName[], to: TalosVersion): string[] =>
  nodes.length === 0
    ? []
    : [
        `${nodes.join(', ')}: not checked whether Talos ${to} takes the machine configuration: that needs a talosctl ${minorOf(to)}`,
      ]

const minorOf = (version: string): string => `${semver.major(version)}.${semver.minor(version)}`

/** The modes in which Talos judges a configuration: what a machine needs to have in it depends on where it runs. */
export type MachineMode = 'metal' | 'cloud' | 'container'

/**
 * How a node runs whose configuration the target is asked about: one that is to run another release. Undefined where it is not:
 * rules are those of one minor release, so a talosctl of another one is no judge.
 */
export function modeToJudge(
  seen: NodeObservation | undefined,
  to: TalosVersion,
  talosctl: string,
): MachineMode | undefined {
  if (!seen?.reachable || semver.eq(seen.version, to) || minorOf(talosctl) !== minorOf(to)) return undefined
  return seen.platform === 'metal' || seen.platform === 'container' ? seen.platform : 'cloud'
}
