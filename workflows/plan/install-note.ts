import type { InstallMark } from '../model/kubernetes.ts'
import type { Observation } from '../model/observation.ts'

/** What a Node object tells of an installation under that boot, whoever's journal does not. */
export const installNote = ({ kubernetes }: Observation, bootId: string): InstallMark | undefined =>
  kubernetes.answers ? kubernetes.nodes.find(({ install }) => install?.bootId === bootId)?.install : undefined
