/**
 * The machine configuration must not change between installation and reboot, nor be staged or on trial when either begins:
 * the installer judged the one that ran, and a slot that can not load what is on disk boots for ever.
 */
import type { NodeName } from '../model/cluster.ts'
import { type Failure, failure, type Result } from '../model/failure.ts'
import type { Configuration } from '../model/observation.ts'

/** Why a node may not be installed or rebooted as it is configured; `installed` is the hash at its installation. */
export function configurationObjection(
  node: NodeName,
  seen: Result<Configuration>,
  installed?: string,
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
  switch (seen.value.pending) {
    case 'other-on-disk':
      return failure('configuration-pending', {
        node,
        detail: 'another machine configuration than the one that runs is on its disk: staged, or on trial',
        hint: `${show('persistent')} # reboot into it first, or apply the one that is meant`,
      })
    case 'perhaps-on-trial':
      return failure('configuration-pending', {
        node,
        detail: 'its machine configuration was changed since its boot and is not on its disk: on trial, or was',
        hint: `${show('v1alpha1')} # apply it if it is meant, or reboot first`,
      })
    case 'nothing':
      if (installed === undefined || installed === seen.value.hash) return undefined
      return failure('configuration-changed', {
        node,
        detail: 'its machine configuration was changed since the installation, which judged the one before',
        hint: `${show('v1alpha1')} # if the target takes it, reboot the node by hand`,
      })
  }
}

/** The talosconfig's role may not read configurations, which are secret. */
export const isUnchecked = (seen: Result<Configuration>): boolean =>
  !seen.ok && seen.failure.reason === 'permission-denied'

/** What a plan says about nodes whose configuration was not looked at. */
export const uncheckedNote = (nodes: readonly NodeName[]): string[] =>
  nodes.length === 0
    ? []
    : [
        `${nodes.join(', ')}: not checked whether a machine configuration is staged, on trial, or changed between installation and reboot: that needs the role os:admin`,
      ]
