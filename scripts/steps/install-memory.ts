import type { Failure } from '../../workflows/model/failure.ts'
import { type Memory, wasBegun } from '../../workflows/plan/memory.ts'
import { appendTo, type Journal } from '../engine/journal.ts'

/** What is remembered of installations: those of earlier runs, and of this one. */
export type InstallMemory = {
  /** whether an installation of ours was begun under that boot, whatever became of it */
  begun(bootId: string): boolean
  /** whether the call was about to be made on that node, under a boot other than this one */
  requestedBefore(node: string, bootId: string): boolean
  /** hash of the machine configuration at the last installation under that boot, where it could be read */
  configuration(bootId: string): string | undefined
  /** Writes down that one begins now; it may begin only where that could be written. */
  begin(install: { node: string; bootId: string; image: string; configuration?: string }): Failure | undefined
}

/**
 * The intent of a step tells the boot that was planned for; the node may have been booted since, so the boot that an
 * installation really begins under is written down by itself.
 */
export function createInstallMemory(memory: Memory, journal: Pick<Journal, 'append'>): InstallMemory {
  const begunNow = new Map<string, string | undefined>()
  const requests: Record<string, readonly string[]> = { ...memory.requests }
  return {
    begun: (bootId) => begunNow.has(bootId) || wasBegun(memory, bootId),
    requestedBefore: (node, bootId) => requests[node]?.some((other) => other !== bootId) === true,
    configuration: (bootId) => begunNow.get(bootId) ?? memory.configurations[bootId],
    begin(install) {
      const unwritten = appendTo(journal, { type: 'installing', at: new Date().toISOString(), ...install })
      if (unwritten !== undefined) return unwritten
      begunNow.set(install.bootId, install.configuration)
      requests[install.node] = [...(requests[install.node] ?? []), install.bootId]
      return undefined
    },
  }
}
