/** Which release may follow which, and beside which Kubernetes: what the table of releases says of a node and its target. */

import semver from 'semver'
import type { TalosVersion } from './cluster.ts'
import { type Failure, failure } from './failure.ts'
import { nextHop, RELEASES, RELEASES_AS_OF, type Release, releaseOf } from './releases.ts'

/** Why a node that runs `from` may not be taken to `to` in one step; empty when it may. */
export function versionObjections(from: TalosVersion, to: TalosVersion): Failure[] {
  const release = releaseOf(to)
  if (!release) {
    const known = RELEASES.map(({ minor }) => minor).join(', ')
    return [
      failure('version-unknown', {
        detail: `Talos ${to} is not in the compatibility table of ${RELEASES_AS_OF} (known: ${known})`,
        hint: 'git pull # a later version of this tool may know it',
      }),
    ]
  }
  return [...withdrawnObjections(to, release), ...stepObjections(from, to, release)]
}

/** Since 1.13 an installation and the reboot into it are two calls. */
export const pathOf = (version: TalosVersion): 'lifecycle' | 'legacy' =>
  semver.gte(version, '1.13.0') ? 'lifecycle' : 'legacy'

/** A release that its makers took back. */
function withdrawnObjections(to: TalosVersion, { withdrawn, newest }: Release): Failure[] {
  const why = withdrawn[to]
  return why === undefined
    ? []
    : [
        failure('release-withdrawn', {
          detail: `Talos ${to} was withdrawn: ${why}`,
          hint: `workflows/upgrade.ts --to ${newest}`,
        }),
      ]
}

function stepObjections(from: TalosVersion, to: TalosVersion, { hosts }: Release): Failure[] {
  if (semver.lt(to, from)) return [failure('downgrade', { detail: `${to} is older than ${from}, which runs` })]
  const hop = semver.minor(to) - semver.minor(from)
  if (semver.major(to) !== semver.major(from) || hop > 1) {
    const next = nextHop(from)
    const minor = `v${semver.major(from)}.${semver.minor(from) + 1}`
    return [
      failure('hop-too-long', {
        detail: `${from} to ${to} skips a minor release: first comes ${next ?? `the newest ${minor}`}`,
        ...(next === undefined ? {} : { hint: `workflows/upgrade.ts --to ${next}` }),
      }),
    ]
  }
  const host = semver.parse(from)
  const core = host ? `${host.major}.${host.minor}.${host.patch}` : from
  if (semver.lt(core, hosts.from) || semver.gte(core, hosts.below)) {
    return [
      failure('hop-too-long', {
        detail: `the installer of ${to} accepts ${hosts.from} up to ${hosts.below}, ${from} runs`,
      }),
    ]
  }
  return []
}

/** Why `to` may not run beside Kubernetes `kubernetesVersion`: after the upgrade every configuration change would be rejected. */
export function kubernetesObjections(to: TalosVersion, kubernetesVersion: string, whose: string): Failure[] {
  const release = releaseOf(to)
  const version = semver.parse(kubernetesVersion)
  if (!release || !version) return []
  const { min, max } = release.kubernetes
  if (version.major === 1 && version.minor >= min && version.minor <= max) return []
  const hint =
    version.major === 1 && version.minor < min ? newerKubernetes(version.minor, min) : newerTalos(version, max)
  return [
    failure('kubernetes-out-of-range', {
      detail: `Talos ${to} supports Kubernetes 1.${min} to 1.${max}, ${whose} ${kubernetesVersion}`,
      ...(hint === undefined ? {} : { hint }),
    }),
  ]
}

/** Kubernetes goes up one minor release at a time. */
function newerKubernetes(minor: number, min: number): string {
  const [first, ...more] = Array.from({ length: min - minor }, (_, at) => `1.${minor + at + 1}`)
  return `talosctl upgrade-k8s --to ${first}.0 # or a later patch${more.length > 0 ? `, then to ${more.join(', ')}` : ''}`
}

function newerTalos(kubernetes: semver.SemVer, max: number): string | undefined {
  const supporting = RELEASES.find(
    (release) => kubernetes.major === 1 && release.kubernetes.max >= kubernetes.minor && release.kubernetes.max > max,
  )
  return supporting && `workflows/upgrade.ts --to ${supporting.newest} # or keep Kubernetes at 1.${max}`
}
