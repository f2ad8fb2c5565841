import type { InstallMark } from '../model/kubernetes.ts'
import type { Observation } from '../model/observation.ts'
import { type Memory, wasBegun } from './memory.ts'

/** What a Node object tells of an installation under that boot, whoever's journal does not. */
export const installNote = ({ kubernetes }: Observation, bootId: string): InstallMark | undefined =>
  kubernetes.answers ? kubernetes.nodes.find(({ install }) => install?.bootId === bootId)?.install : undefined

/** Whether anybody's run began an installation under that boot, as the journals here or a Node tell. */
export const isInstallBegun = (memory: Memory, observed: Observation, bootId: string): boolean =>
  wasBegun(memory, bootId) || installNote(observed, bootId) !== undefined
