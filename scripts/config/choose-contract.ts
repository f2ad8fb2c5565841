import { join } from 'node:path'
import { contractOfVersion, isNewer, NEWEST_CONTRACT } from '../../workflows/model/declaration/talos-contract.ts'
import { readYaml } from '../../workflows/model/declaration/yaml-source.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import { type Problem, warning } from '../../workflows/model/problem.ts'
import { contractOf } from '../../workflows/plan/contract.ts'
import { forPeople, type LoadedCluster } from '../declaration/load-cluster.ts'
import type { PlacedBefore } from './placing/placed-before.ts'
import { type GeneratedTexts, readGenerated } from './read-generated.ts'
import type { RenderedConfig } from './render-config.ts'

type Declaration = Pick<LoadedCluster, 'layout' | 'cluster'>

/** The form to generate in; fails where the declared one is of a newer Talos than the nodes run. */
export function chooseContract(
  { layout, cluster }: Declaration,
  placed: PlacedBefore | undefined,
): Result<string, Failure[]> {
  const { talosContract: declared, talosVersion } = cluster
  const before = placed && (placed.contract ?? contractOfGenerated(readGenerated(layout, cluster)))
  const contract = contractOf({ talosVersion, declared, before })
  if (!isNewer(contract, contractOfVersion(talosVersion))) return { ok: true, value: contract }
  const detail = `configurations in the form of ${contract} can not be read by Talos ${talosVersion}`
  const hint = `talosContract: ${contractOfVersion(talosVersion)}, or a later talosVersion`
  return { ok: false, failure: [failure('declaration-invalid', { detail, hint })] }
}

/** Before the form was a value of its own, it was that of the release that is in the name of the installer. */
function contractOfGenerated(generated: GeneratedTexts | undefined): string | undefined {
  const installed = Object.values(generated?.machineConfigs ?? {}).flatMap(
    (text) => /^ +image: ["']?\S*installer\S*:(v\d+\.\d+)\.\d/m.exec(text)?.[1] ?? [],
  )
  return installed.reduce<string | undefined>((least, one) => (least && isNewer(one, least) ? least : one), undefined)
}

/** talhelper by itself would take the form from the release: somebody who calls it by hand is to know. */
export function contractWarnings(
  { layout, cluster }: Declaration,
  contract: string,
  { talconfig }: RenderedConfig,
): Problem[] {
  const own = contractOfVersion(cluster.talosVersion)
  if (layout.kind !== 'talconfig' || cluster.talosContract !== undefined || !isNewer(own, NEWEST_CONTRACT)) return []
  const source = readYaml({ path: forPeople(join(layout.folder, talconfig.name)), text: talconfig.text })
  const message = `talhelper alone would write documents of ${own}, which nothing older can read; gen-config keeps the form of ${contract}`
  return [warning(source.problem(['talosVersion'], message, `generate: {contract: ${contract}} in operations.yaml`))]
}
