import semver from 'semver'
import { check, pipe, regex, string, transform } from 'valibot'
import type { TalosVersion } from '../cluster.ts'

/** The newest form that configurations are generated in: the documents of Talos 1.14 are not among them yet. */
export const NEWEST_CONTRACT = 'v1.13'

/** A minor release of Talos, as whose configurations are written: `v1.13`. */
export const talosContract = pipe(
  string(),
  regex(/^v?1\.\d+$/, 'is not a minor release such as v1.13'),
  check(
    (text) => minorOf(text) <= minorOf(NEWEST_CONTRACT),
    `is newer than ${NEWEST_CONTRACT}, the newest that is generated`,
  ),
  transform((text) => `v${text.replace(/^v/, '')}`),
)

const minorOf = (contract: string): number => Number(contract.split('.')[1])

/** `v1.13` of `v1.13.9`. */
export const contractOfVersion = (version: TalosVersion): string => `v${semver.major(version)}.${semver.minor(version)}`

/** Whether configurations in the form of `contract` may hold what nodes of `other` can not read. */
export const isNewer = (contract: string, other: string): boolean => semver.gt(`${contract}.0`, `${other}.0`)
