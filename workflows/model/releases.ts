/**
 * What is known of Talos' releases, as data of one day. Hosts and Kubernetes are those of Talos' own installer
 * (pkg/machinery/compatibility/talos1*); the rest is from the releases and their trackers.
 */
import type { TalosVersion } from './cluster.ts'

export type Release = {
  /** `1.13` */
  minor: string
  /** newest patch release on the day of the table */
  newest: TalosVersion
  /** running releases that its installer accepts: from the first one, up to and without the second one */
  hosts: { from: string; below: string }
  /** minor releases of Kubernetes, both included */
  kubernetes: { min: number; max: number }
  /** minor release of the etcd that control planes run */
  etcd: string
  /** whether ghcr.io/siderolabs/installer is published; the Image Factory serves an installer for each of them */
  ghcrInstaller: boolean
  /** patch releases that were taken back, with the reason */
  withdrawn: Readonly<Record<TalosVersion, string>>
}

/** The day on which the table was right. */
export const RELEASES_AS_OF = '2026-09-15'

/** Oldest first, without a gap: what follows one is its next hop. */
export const RELEASES: readonly Release[] = [
  {
    minor: '1.10',
    newest: 'v1.10.9',
    hosts: { from: '1.8.0', below: '1.12.0' },
    kubernetes: { min: 28, max: 33 },
    etcd: '3.5',
    ghcrInstaller: true,
    withdrawn: {},
  },
  {
    minor: '1.11',
    newest: 'v1.11.6',
    hosts: { from: '1.9.0', below: '1.13.0' },
    kubernetes: { min: 29, max: 34 },
    etcd: '3.6',
    ghcrInstaller: true,
    withdrawn: {},
  },
  {
    minor: '1.12',
    newest: 'v1.12.11',
    hosts: { from: '1.10.0', below: '1.14.0' },
    kubernetes: { min: 30, max: 35 },
    etcd: '3.6',
    ghcrInstaller: true,
    withdrawn: {},
  },
  {
    minor: '1.13',
    newest: 'v1.13.10',
    hosts: { from: '1.11.0', below: '1.15.0' },
    kubernetes: { min: 31, max: 36 },
    etcd: '3.6',
    ghcrInstaller: true,
    withdrawn: { 'v1.13.1': 'a broken release, taken back on the day it came out (talos#13312)' },
  },
  {
    minor: '1.14',
    newest: 'v1.14.1',
    hosts: { from: '1.12.0', below: '1.16.0' },
    kubernetes: { min: 32, max: 37 },
    etcd: '3.7',
    ghcrInstaller: false,
    withdrawn: {},
  },
]

/** The row of a version, whatever its patch release; undefined for a minor release that the table does not know. */
export const releaseOf = (version: TalosVersion): Release | undefined =>
  RELEASES.find(({ minor }) => new RegExp(`^v?${minor.replace('.', '\\.')}\\.`).test(version))

/** The newest release of the minor that follows `version`'s, which is as far as one step goes. */
export function nextHop(version: TalosVersion): TalosVersion | undefined {
  const [, minor] = /^v?1\.(\d+)\./.exec(version) ?? []
  return RELEASES.find((release) => release.minor === `1.${Number(minor) + 1}`)?.newest
}
