/**
 * What earlier runs remember and the world can not tell, from their journals. Those of every version of the product are
 * read, and of verbs that are not known yet; so nothing is taken for granted of a record.
 */

import type { NodeName } from '../model/cluster.ts'
import { type ForeignMap, list, map, text } from '../model/foreign-json.ts'
import { stepNamed } from '../model/step-facts.ts'
import { withoutUnasked } from './without-unasked.ts'

export type Memory = {
  /** image that a node fell back from, by node */
  rolledBack: Readonly<Record<NodeName, string>>
  /** what was written last and seen to end well, by node, and under which boot of which version */
  written: Readonly<Record<NodeName, { image: string; bootId: string; from: string }>>
  /** boot ids under which we began to write the other slot, whatever became of it, by node */
  installs: Readonly<Record<NodeName, readonly string[]>>
  /** those of them under which the call itself was about to be made, by node: what was only intended is not among them */
  requests: Readonly<Record<NodeName, readonly string[]>>
  /** hash of the machine configuration at the last installation under a boot, by its id */
  configurations: Readonly<Record<string, string>>
  /** image that the installer refused for good, and what it said, by node */
  refusedImages: Readonly<Record<NodeName, { image: string; why: string }>>
}

/** The records of one run, as they were found. */
export type RememberedRun = { run: string; records: readonly unknown[] }

export type Remembered = Memory & {
  /** the runs that something is remembered from, which must be kept */
  sources: ReadonlySet<string>
  /** runs that have asked no node to go down */
  tookNoneDown: ReadonlySet<string>
}

/** Puts together what the runs of this very cluster tell, oldest first. A node that was upgraded since has left all of it. */
export function recollect(runs: readonly RememberedRun[], identity: string): Remembered {
  const rolledBack = new Map<NodeName, { image: string; run: string }>()
  const installs = new Map<NodeName, { bootId: string; run: string; isRequest: boolean }[]>()
  const written = new Map<NodeName, { image: string; bootId: string; from: string; run: string }>()
  const configurations = new Map<string, string>()
  const refused = new Map<NodeName, { image: string; why: string; run: string }>()
  const tookNoneDown = new Set<string>()
  for (const { run, records } of runs) {
    const told = records.map(map)
    const [first = {}] = told
    if (first.type !== 'run') continue
    if (told.every(leavesUp)) tookNoneDown.add(run)
    // the first journals did not tell whose they are; a boot id is one in the world
    if (first.identity !== undefined && first.identity !== identity) continue
    const plans = nodePlans(first.plan)
    const planOf = (node: NodeName) => map(plans.find((plan) => plan.node === node))
    const imageOf = (node: NodeName) => imageIn(planOf(node))
    const noteVerdict = (node: NodeName | undefined, verdict: unknown): void => {
      const image = node === undefined ? undefined : imageOf(node)
      if (node !== undefined && image !== undefined && verdict === 'rolled-back') rolledBack.set(node, { image, run })
    }
    for (const record of withoutUnasked(told.slice(1))) {
      // the last look of a run is at all its nodes
      for (const { node, verdict } of list(record.output)) noteVerdict(text(node), verdict)
      const node = text(record.node) ?? nodeOfPath(record.path, plans)
      if (node === undefined) continue
      const bootId = text(record.bootId)
      const isRequest = record.type === 'installing'
      const begins = isRequest || (record.type === 'intent' && stepNamed(record.step)?.writesSlot === true)
      if (begins && bootId !== undefined)
        installs.set(node, [...(installs.get(node) ?? []), { bootId, run, isRequest }])
      const hash = text(record.configuration)
      if (record.type === 'installing' && bootId !== undefined && hash !== undefined) configurations.set(bootId, hash)
      if (record.type !== 'outcome') continue
      const image = imageOf(node)
      const { verdict } = map(record.output)
      const why = map(record.failure)
      const begun = installs.get(node)?.at(-1)
      const under = begun?.run === run ? begun.bootId : undefined
      const from = versionIn(planOf(node))
      if (image !== undefined && from !== undefined && under !== undefined && record.ok === true && hasWritten(record))
        written.set(node, { image, bootId: under, from, run })
      if (record.ok === true) noteVerdict(node, verdict)
      if (image !== undefined && why.reason === 'installer-refused')
        refused.set(node, { image, why: text(why.detail) ?? 'the installer refused it', run })
      if (record.ok !== true || verdict !== 'upgraded') continue
      for (const left of [rolledBack, written, installs, refused]) left.delete(node)
    }
  }
  return {
    rolledBack: Object.fromEntries([...rolledBack].map(([node, { image }]) => [node, image])),
    written: Object.fromEntries([...written].map(([node, { run: _, ...what }]) => [node, what])),
    installs: bootIdsOf(installs),
    requests: bootIdsOf(installs, ({ isRequest }) => isRequest),
    configurations: Object.fromEntries(configurations),
    refusedImages: Object.fromEntries([...refused].map(([node, { image, why }]) => [node, { image, why }])),
    tookNoneDown,
    sources: new Set(
      [
        ...rolledBack.values(),
        ...written.values(),
        ...[...installs.values()].flatMap((begun) => begun.slice(-1)),
        ...refused.values(),
      ].map(({ run }) => run),
    ),
  }
}

/** What a step does that is not known could be anything. */
const leavesUp = ({ type, step }: ForeignMap): boolean => type !== 'intent' || stepNamed(step)?.takesDown === false

/** Whether a step that ended well left its image in the other slot; a call that found its look too old has asked nothing. */
const hasWritten = ({ path, output }: ForeignMap): boolean => {
  const step = text(path)?.split('/').at(-1)
  return stepNamed(step)?.writesSlot === true && map(output).stillUp !== true
}

/** By node the boot ids of what was begun, each of them once. */
const bootIdsOf = <Install extends { bootId: string }>(
  installs: ReadonlyMap<NodeName, readonly Install[]>,
  counts: (install: Install) => boolean = () => true,
): Record<NodeName, string[]> =>
  Object.fromEntries(
    [...installs].map(([node, begun]) => [node, [...new Set(begun.filter(counts).map(({ bootId }) => bootId))]]),
  )

/** The nodes that a plan names; none where it is no plan of nodes. */
const nodePlans = (plan: unknown): ForeignMap[] => list(map(plan).nodes)

/** The image that it was to boot; journals of before plans had a version have it at the top. */
const imageIn = (plan: ForeignMap): string | undefined => text(map(plan.work).image) ?? text(plan.image)

const versionIn = (plan: ForeignMap): string | undefined => text(map(plan.before).version) ?? text(plan.from)

const nodeOfPath = (path: unknown, plans: readonly ForeignMap[]): NodeName | undefined =>
  text(plans.find(({ node }) => typeof path === 'string' && path.startsWith(`${node}/`))?.node)

/**
 * Whether an installation of ours was begun under the boot that runs now, whatever the node was called then: a boot id is
 * one in the world.
 */
export const wasBegun = ({ installs }: Memory, bootId: string): boolean =>
  Object.values(installs).some((bootIds) => bootIds.includes(bootId))
