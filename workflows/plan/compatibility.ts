/** Which release may follow which: the table of Talos' own installer, kept as data (pkg/machinery/compatibility/talos1*). */
import semver from 'semver'
import type { TalosVersion } from '../model/cluster.ts'
import { type Failure, failure } from '../model/failure.ts'

type Support = {
  /** oldest running release that the installer accepts */
  hostMin: string
  /** first running release that the installer refuses */
  hostMax: string
  /** minor releases of Kubernetes, both included */
  kubernetes: { min: number; max: number }
}

/** By the target's minor release. */
const COMPATIBILITY: Readonly<Record<string, Support>> = {
  '1.10': { hostMin: '1.8.0', hostMax: '1.12.0', kubernetes: { min: 28, max: 33 } },
  '1.11': { hostMin: '1.9.0', hostMax: '1.13.0', kubernetes: { min: 29, max: 34 } },
  '1.12': { hostMin: '1.10.0', hostMax: '1.14.0', kubernetes: { min: 30, max: 35 } },
  '1.13': { hostMin: '1.11.0', hostMax: '1.15.0', kubernetes: { min: 31, max: 36 } },
  '1.14': { hostMin: '1.12.0', hostMax: '1.16.0', kubernetes: { min: 32, max: 37 } },
}

const minorOf = (version: string): string => `${semver.major(version)}.${semver.minor(version)}`

/** Why a node that runs `from` may not be taken to `to` in one step; empty when it may. */
export function versionObjections(from: TalosVersion, to: TalosVersion): Failure[] {
  const support = COMPATIBILITY[minorOf(to)]
  if (!support) {
    const known = Object.keys(COMPATIBILITY).join(', ')
    return [failure('version-unknown', { detail: `Talos ${to} is not in the compatibility table (known: ${known})` })]
  }
  if (semver.lt(to, from)) {
    return [failure('downgrade', { detail: `${to} is older than ${from}, which runs` })]
  }
  const hop = semver.minor(to) - semver.minor(from)
  if (semver.major(to) !== semver.major(from) || hop > 1) {
    const next = `v${semver.major(from)}.${semver.minor(from) + 1}`
    return [
      failure('hop-too-long', {
        detail: `${from} to ${to} skips a minor release`,
        hint: `upgrade to the latest ${next}.x first: --to ${next}.<patch>`,
      }),
    ]
  }
  const host = semver.parse(from)
  const core = host ? `${host.major}.${host.minor}.${host.patch}` : from
  if (semver.lt(core, support.hostMin) || semver.gte(core, support.hostMax)) {
    return [
      failure('hop-too-long', {
        detail: `the installer of ${to} accepts ${support.hostMin} up to ${support.hostMax}, ${from} runs`,
      }),
    ]
  }
  return []
}

/** Why `to` may not run beside Kubernetes `kubernetesVersion`: after the upgrade every configuration change would be rejected. */
export function kubernetesObjections(to: TalosVersion, kubernetesVersion: string, whose: string): Failure[] {
  const support = COMPATIBILITY[minorOf(to)]
  const version = semver.parse(kubernetesVersion)
  if (!support || !version) return []
  const { min, max } = support.kubernetes
  if (version.major === 1 && version.minor >= min && version.minor <= max) return []
  return [
    failure('kubernetes-out-of-range', {
      detail: `Talos ${to} supports Kubernetes 1.${min} to 1.${max}, ${whose} ${kubernetesVersion}`,
      hint:
        version.minor < min
          ? `upgrade Kubernetes to 1.${min} or later first: talosctl upgrade-k8s --to 1.${min}.<patch>`
          : `choose a later Talos release, or keep Kubernetes at 1.${max}`,
    }),
  ]
}
