import semver from 'semver'
import type { Cluster, NodeDeclaration, TalosVersion } from '../model/cluster.ts'
import type { NodeFacts } from '../model/observation.ts'
import { installerImage, VANILLA_SCHEMATIC } from './installer-image.ts'

/** What a node boots to run a release as it is declared; a schematic that is not declared stays what it is. `runs`: it does already. */
export function declaredImage(
  { operations }: Pick<Cluster, 'operations'>,
  declared: Pick<NodeDeclaration, 'schematic'>,
  seen: Pick<NodeFacts, 'version' | 'schematic' | 'platform' | 'secureBoot'>,
  version: TalosVersion,
): { schematic: string; image: string; runs: boolean } {
  const schematic = declared.schematic ?? seen.schematic ?? VANILLA_SCHEMATIC
  const { platform, secureBoot } = seen
  return {
    schematic,
    image: installerImage({ factory: operations.upgrade.factory, platform, secureBoot, schematic, version }),
    runs:
      semver.eq(seen.version, version) && (declared.schematic === undefined || declared.schematic === seen.schematic),
  }
}
