/**
 * The form of the configurations that are generated: which documents and defaults, as of one minor release of Talos. It
 * moves only by hand, and never with the release that the nodes run: an upgrade changes no document.
 */
import type { TalosVersion } from '../model/cluster.ts'
import { contractOfVersion, isNewer, NEWEST_CONTRACT } from '../model/declaration/talos-contract.ts'

/**
 * The contract to generate in: the declared one, else the one of the last generation, else that of the release; and of
 * what nobody declared never one that we do not write yet, or that the release can not read.
 */
export function contractOf(of: {
  declared?: string | undefined
  before?: string | undefined
  talosVersion: TalosVersion
}): string {
  if (of.declared !== undefined) return of.declared
  const own = contractOfVersion(of.talosVersion)
  return [own, NEWEST_CONTRACT, of.before ?? own].reduce((least, one) => (isNewer(least, one) ? one : least))
}
