import { AsyncLocalStorage } from 'node:async_hooks'
import type { NodeName } from '../../workflows/model/cluster.ts'
import type { StepName } from '../../workflows/model/step-name.ts'
import type { Program } from '../run.ts'

/** How often which tool was started, by node and by step or phase; what is of the whole cluster stands under its name. */
export type Starts = Record<string, Record<string, Partial<Record<Program, number>>>>

/** What a tool is started for. */
type Purpose = { node?: NodeName | undefined; of: StepName | 'look' | 'lease' | 'kubeconfig' | 'sight' }

const purposes = new AsyncLocalStorage<Purpose>()

/** Does work of which every start counts for that purpose, unless a part of it has a purpose of its own. */
export const startsFor = <T>(purpose: Purpose, work: () => T): T => purposes.run(purpose, work)

/** Counts starts by what they are for. */
export function countStarts(cluster: string): { starts: Starts; count: (tool: Program) => void } {
  const starts: Starts = {}
  return {
    starts,
    count(tool) {
      const { node = cluster, of = 'otherwise' } = purposes.getStore() ?? {}
      starts[node] ??= {}
      starts[node][of] ??= {}
      starts[node][of][tool] = (starts[node][of][tool] ?? 0) + 1
    },
  }
}
