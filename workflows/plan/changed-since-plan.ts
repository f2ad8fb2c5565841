import semver from 'semver'
import { AGAIN } from '../model/again.ts'
import type { TalosVersion } from '../model/cluster.ts'
import { pathOf, versionObjections } from '../model/compatibility.ts'
import { type Failure, failure } from '../model/failure.ts'
import type { Before, Switch } from './plan.ts'

/**
 * Why a node that runs `version` by now, whatever it ran when that was planned, may not be changed as planned; undefined
 * where it may.
 */
export function changedSincePlan(
  { version: from }: Pick<Before, 'version'>,
  { to, how }: Pick<Switch, 'to' | 'how'>,
  version: TalosVersion,
): Failure | undefined {
  if (semver.eq(version, from)) return undefined
  const [objection] = versionObjections(version, to)
  if (objection || (how === 'one call') === (pathOf(version) === 'legacy')) return objection
  const detail = `runs ${version} by now, and ${from} when it was planned: an installation is asked for in another way`
  return failure('wrong-version', { detail, hint: AGAIN })
}
