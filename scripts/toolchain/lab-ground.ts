/** What a lab is told of its cluster, as plain data: it shares no code with the workflows. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { NodeDeclaration } from '../../workflows/model/cluster.ts'
import { type Failure, failure, type Result } from '../../workflows/model/failure.ts'
import type { CommonFlags } from '../cli/flags.ts'
import { finishPlacingFirst } from '../config/finish-placing-first.ts'
import { type GeneratedTexts, readGenerated } from '../config/read-generated.ts'
import { protectFromGit } from '../config/secrets/protect-from-git.ts'
import { clusterFolder, isClusterFolder, packageRoot } from '../declaration/layout.ts'
import { loadCluster } from '../declaration/load-cluster.ts'
import { onDisk } from '../disk/on-disk.ts'
import { readText } from '../disk/read-text.ts'
import { type LabTools, labTools } from './lab-tools.ts'

export type LabPlace = {
  /** like `cluster-101` */
  cluster: string
  clusterDir: string
}

export type LabGround = {
  nodes: readonly NodeDeclaration[]
  kubernetesEndpoint: string
  /** the text of lab.yaml; empty when there is none */
  labFile: string
  tools: LabTools
  generated: GeneratedTexts | undefined
}

/** Where the lab of a cluster is, whether or not it was ever up. */
export function labPlace({ cluster, dir = packageRoot }: CommonFlags): Result<LabPlace> {
  const name = clusterFolder(cluster)
  // without a cluster only what is no cluster's is asked
  if (cluster === '' || isClusterFolder(name))
    return { ok: true, value: { cluster: name, clusterDir: resolve(dir, 'clusters', name) } }
  return { ok: false, failure: failure('usage', { detail: `${cluster} can be no cluster`, hint: 'ls clusters' }) }
}

/** All that a lab is brought up from; what is missing of its tools is built, and said to be. */
export async function labGround(
  common: CommonFlags,
  wantsKubernetes: (labFile: string) => boolean,
): Promise<Result<LabGround, Failure[]>> {
  const place = labPlace(common)
  if (!place.ok) return { ok: false, failure: [place.failure] }
  const loaded = loadCluster(common.dir, common.cluster, 'operate')
  if (!loaded.ok) return loaded
  const { clusterDir } = place.value
  const file = join(clusterDir, 'lab.yaml')
  const read = onDisk(() => (existsSync(file) ? readText(file) : ''), 'declaration-invalid')
  if (!read.ok) return { ok: false, failure: [read.failure] }
  const labFile = read.value
  const tools = await labTools({ kubernetes: wantsKubernetes(labFile) }, { stream: process.stderr })
  if (!tools) return { ok: false, failure: [failure('tool-missing', { detail: 'the lab lacks what is said above' })] }
  const { cluster, layout } = loaded.value
  const unfinished = finishPlacingFirst(layout)
  if (unfinished) return { ok: false, failure: [unfinished] }
  // a talosconfig of its own is about to lie beside the declaration
  const { generated: prefix, root: dir } = layout
  const guard = { folder: clusterDir, dir, generated: prefix, tools: { env: process.env } }
  const ignored = await protectFromGit(guard)
  if (!ignored.ok) return ignored
  const kubernetesEndpoint = `https://${cluster.endpointHost}:6443`
  const generated = readGenerated(layout, cluster)
  return { ok: true, value: { nodes: cluster.nodes, kubernetesEndpoint, labFile, tools, generated } }
}
