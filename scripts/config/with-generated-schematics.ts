import type { Cluster } from '../../workflows/model/cluster.ts'
import type { Layout } from '../declaration/layout.ts'
import { readGenerated } from './read-generated.ts'

/**
 * The cluster with the schematic that each node's generated configuration installs from, where the declaration names none
 * by its id: extensions and kernel arguments become a schematic only when they are rendered. Of a node without a generated
 * configuration the running one is kept.
 */
export function withGeneratedSchematics(cluster: Cluster, layout: Layout): Cluster {
  const generated = readGenerated(layout, cluster)
  if (generated === undefined) return cluster
  return {
    ...cluster,
    nodes: cluster.nodes.map((node) => {
      const schematic = node.schematic ?? installedFrom(generated.machineConfigs[node.name])
      return schematic === undefined ? node : { ...node, schematic }
    }),
  }
}

/** `machine.install.image`; a search, because nothing else of a file full of secrets is wanted in memory. */
const installedFrom = (config = ''): string | undefined =>
  /^ +image: ["']?[^\s"']+-?installer[^\s"'/]*\/([0-9a-f]{64}):v/m.exec(config)?.[1]
