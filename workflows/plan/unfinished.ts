/** What becomes of a run that another process did not bring to its end. */
import { type Failure, failure } from '../model/failure.ts'
import { list, map } from '../model/foreign-json.ts'

/** What its journal tells of it, which any version of the product may have written, for any verb. */
export type Unfinished = {
  run: string
  verb: string
  /** version of the product; the first ones did not tell */
  product?: string
  /** hash of all that it was begun with */
  inputs: string
  /** which cluster it was about, whatever its name; the first ones did not tell */
  identity?: string
  plan: unknown
  /** the command line that began it */
  again: string
  /** where its journal leads in the machines of today */
  leads: 'on' | 'nowhere'
  /** how long ago its last record was written, by the clock of this machine; NaN where it tells no time */
  leftForMs: number
}

export type Fate =
  | { is: 'carried on' }
  | { is: 'closed'; why: string }
  /** it must be finished, or closed by the person, before anything else may begin */
  | { is: 'in the way'; failure: Failure }

/** The run that finds it. */
export type Finder = {
  verb: string
  product: string
  inputs: string
  identity?: string
  abandons: boolean
  /** see `Verb.carriedOnForMs` */
  carriedOnForMs?: number | undefined
}

/** The fates of runs, oldest first: of those that can be carried on only the last one is. */
export function fatesOf(left: readonly Unfinished[], finder: Finder): Fate[] {
  const carriedOn = finder.abandons ? undefined : left.findLast((one) => canBeCarriedOn(one, finder))
  return left.map((one): Fate => {
    if (one === carriedOn) return { is: 'carried on' }
    const why = whyNotFollowed(one, finder)
    return wipes(one.plan) && !finder.abandons
      ? { is: 'in the way', failure: inTheWay(one, why) }
      : { is: 'closed', why }
  })
}

const canBeCarriedOn = (one: Unfinished, finder: Finder): boolean =>
  one.inputs === finder.inputs && one.leads === 'on' && !isLongAgo(one, finder)

/** A clock that was set back tells of no age, and neither does a record without a time: such a run is carried on. */
const isLongAgo = ({ leftForMs }: Unfinished, { carriedOnForMs = Number.POSITIVE_INFINITY }: Finder): boolean =>
  leftForMs > carriedOnForMs

/** Whether it was about another cluster than this one, which only has its name and its folder. */
export const isOfAnotherCluster = ({ identity }: Pick<Unfinished, 'identity'>, mine: string | undefined): boolean =>
  identity !== undefined && mine !== undefined && identity !== mine

function whyNotFollowed(one: Unfinished, finder: Finder): string {
  const { verb, product, inputs, leads } = one
  if (finder.abandons) return '--abandon says so'
  if (isOfAnotherCluster(one, finder.identity)) return 'it is of another cluster of this name, which had another CA'
  if (verb !== finder.verb) return `this run is another one's: it is of ${finder.verb}, and not of ${verb}`
  if (inputs !== finder.inputs)
    return product === finder.product
      ? 'the declaration or the flags changed since'
      : 'another version of this program began it'
  if (leads === 'on' && isLongAgo(one, finder))
    return `it was left ${wholeHours(one.leftForMs)} hours ago, and what this command asks for now is done anew`
  switch (leads) {
    case 'nowhere':
      return 'its journal can not be followed'
    case 'on':
      return 'a later run took its place'
  }
}

const wholeHours = (ms: number): number => Math.floor(ms / 3_600_000)

const inTheWay = ({ run, again }: Unfinished, why: string): Failure =>
  failure('wipe-unfinished', {
    detail: `${run} wipes disks and has not ended, and it is not carried on, because ${why}`,
    hint: `${again} # finishes it; with --abandon it is closed as it stands`,
  })

/** Whether a plan of whatever version has a node wiped. */
const wipes = (plan: unknown): boolean => list(map(plan).nodes).some(({ work }) => map(work).kind === 'wipe')

/** How a run stood that was not brought to its end, by the steps that were begun and not seen to end. */
export function stateInWords(open: readonly { node?: string; step: string }[]): string {
  const steps = [...new Set(open.map(({ node, step }) => [node, step].filter(Boolean).join(' ')))]
  return steps.length > 0 ? `begun and not seen to end: ${steps.join(', ')}` : 'nothing was under way'
}
