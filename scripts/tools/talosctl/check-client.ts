import semver from 'semver'
import type { TalosVersion } from '../../../workflows/model/cluster.ts'
import { type Failure, failure } from '../../../workflows/model/failure.ts'
import { toolTable } from '../../toolchain/tool-table.ts'

/** The first talosctl that can write the other slot and leave the reboot to us (`upgrade --no-reboot`). */
const FIRST_WITH_NO_REBOOT = '1.13.7'

/**
 * Whether a talosctl is good enough for an upgrade to `target`: not of an older minor release than the target, and with
 * `upgrade --no-reboot`, which is what keeps install and reboot apart from Talos 1.13 on.
 */
export function checkClient(version: string, target: TalosVersion): Failure[] {
  const client = semver.parse(version)
  const wanted = semver.parse(target)
  if (!client || !wanted)
    return [failure('tool-too-old', { detail: `the version of talosctl can not be read: "${version}"` })]
  const needed = semver.maxSatisfying([FIRST_WITH_NO_REBOOT, `${wanted.major}.${wanted.minor}.0`], '*')
  const fits = semver.gte(`${client.major}.${client.minor}.${client.patch}`, needed ?? FIRST_WITH_NO_REBOOT)
  return fits
    ? []
    : [
        failure('tool-too-old', {
          detail: `talosctl is ${version}; an upgrade to ${target} needs ${needed} or later`,
          // of a release that is newer than this program there is none to be had
          ...(`talosctl-${wanted.major}.${wanted.minor}` in toolTable && { hint: 'npm run tools' }),
        }),
      ]
}
