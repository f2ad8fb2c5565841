/**
 * Asks a node to leave its boot, and returns when it answers with a new boot id; does nothing if it already did. Right before each
 * request it looks at etcd once more, and at the very last at what the node would boot. Where what led to it has expired it asks
 * nothing, and says that the node still runs.
 */
import type { NodeStepInput, RebootOutput } from '../../workflows/machines/node.ts'
import type { Failure, Result } from '../../workflows/model/failure.ts'
import type { Configuration, Inspection, OtherSlot } from '../../workflows/model/observation.ts'
import { isUp } from '../../workflows/plan/life.ts'
import { type Asked, acts, afterWait } from '../../workflows/plan/return.ts'
import type { CallOptions, Glance } from '../cluster/talos.ts'
import { declaredNode, reading, type World } from '../cluster/world.ts'
import type { StepContext } from '../engine/driver.ts'
import { watch } from '../watch.ts'
import { lastLook } from './last-look.ts'
import { otherMachine } from './other-machine.ts'
import { readConfiguration } from './read-configuration.ts'
import { watchReturn } from './returned.ts'

type Call = (options: Required<Pick<CallOptions, 'signal' | 'processFile'>>) => Promise<Result<void>>

/** What a node would boot: what its other slot holds, and how it is configured. */
export type NextBoot = { otherSlot: OtherSlot; configured: Result<Configuration> }

/** A call that may be made, unless what is seen at the very last objects. */
export type Ready = { call: Call; objection(last: NextBoot): Failure | undefined }

/** How often it was asked, and what became of that. */
type Requests = Asked & { requests: number }

/** What is asked of a node, and how long everything may take. */
export type Request = {
  /** what the node is to do at once, and in the end: "begin the upgrade", "answer with a new boot id" */
  begins: string
  ends: string
  withinMs: number
  /** how long it may go on as before until the request counts as lost; an accepted one shows as a stage at once */
  actsWithinMs: { accepted: number; failed: number }
  /** it is made once more where the node acted on it, and runs on all the same */
  repeats: boolean
  /** how the step ends where nothing is to be asked; undefined where it is */
  ended(first: Inspection): Result<RebootOutput> | undefined
  /** All that comes before the last looks: the call to be made, or why none may. `asked` tells of those before. */
  prepare(seen: Inspection, asked: Requests): Promise<Result<Ready>>
  ranOn(asked: Asked): Failure
}

const down = ({ version, bootId }: Pick<Inspection, 'version' | 'bootId'>): Result<RebootOutput> => ({
  ok: true,
  value: { flippedEarly: false, seen: { version, bootId } },
})
const STILL_UP: Result<RebootOutput> = { ok: true, value: { flippedEarly: false, stillUp: true } }

export async function askToGoDown(
  world: World,
  input: NodeStepInput,
  context: StepContext,
  request: Request,
): Promise<Result<RebootOutput>> {
  const asked: Requests = { requests: 0, underWay: false }
  const ended = await ask(world, input, context, request, asked)
  if (asked.requests > 0 || context.begunBefore || input.askedBefore) return ended
  if (!ended.ok) return { ok: false, failure: { ...ended.failure, unasked: true } }
  return ended.value.stillUp ? { ok: true, value: { ...ended.value, unasked: true } } : ended
}

/** `known`: what the node has told already of the boot that it runs now. */
async function ask(
  world: World,
  input: NodeStepInput,
  context: StepContext,
  request: Request,
  asked: Requests,
  known?: Result<Inspection>,
): Promise<Result<RebootOutput>> {
  const { plan } = input
  const node = declaredNode(world, plan.node)
  const deadline = performance.now() + request.withinMs
  const inspect = async (): Promise<Result<Inspection>> => {
    const seen = await world.talos.inspect(node, reading(world, context))
    const stranger = seen.ok ? await otherMachine(world, plan, seen.value.bootId, context) : undefined
    return stranger ? { ok: false, failure: stranger } : seen
  }
  const first = known ?? (await inspect())
  if (!first.ok && first.failure.reason === 'other-node-than-declared') return first
  const ended = first.ok ? request.ended(first.value) : undefined
  if (first.ok && ended?.ok) {
    const { version, bootId } = first.value
    return { ok: true, value: { ...ended.value, seen: { version, bootId } } }
  }
  if (ended) return ended
  // somebody may have booted it since the plan was made: the boot that runs is the one to leave
  const bootId = first.ok ? first.value.bootId : plan.before.bootId
  asked.underWay = first.ok && !isUp(first.value)
  /** Keeps in mind that the node was seen to act, and tells whether it does. */
  const note = (now: Glance): boolean => {
    asked.underWay ||= now.bootId === bootId && !isUp(now)
    return acts(now, bootId)
  }
  /** It left its boot before it was asked to: the new one is judged as the first would have been, and may be the one to leave. */
  const anew = (now: Result<Inspection>): Promise<Result<RebootOutput>> | Result<RebootOutput> =>
    now.ok ? ask(world, input, context, { ...request, withinMs: deadline - performance.now() }, asked, now) : now
  /** The call, after all that comes before it; `left` where the node has left its boot meanwhile. */
  const ready = async (told: Inspection): Promise<Result<Call> | 'left'> => {
    const prepared = await request.prepare(told, asked)
    if (!prepared.ok) return prepared
    const objected = await lastLook(world, input, context)
    if (objected) return { ok: false, failure: objected }
    // all of that took its time: somebody else may have installed or configured something
    const [slot, configured] = await Promise.all([
      world.talos.otherSlot(node, told.version, reading(world, context)),
      readConfiguration(world, plan, context),
    ])
    if (!slot.ok) return slot
    if (slot.value.bootId !== told.bootId) return 'left'
    const { call, objection } = prepared.value
    const failed = objection({ otherSlot: slot.value.otherSlot, configured })
    return failed ? { ok: false, failure: failed } : { ok: true, value: call }
  }
  let unused = first.ok ? first : undefined
  // our own earlier request may be what makes it silent; whoever is silent is not asked
  let mayAct = first.ok && isUp(first.value)
  for (;;) {
    let mayAskAgain = true
    if (mayAct) {
      // it may have been another process that was here, and pods may have come back
      if (context.isStale()) return STILL_UP
      const told = unused ?? (await inspect())
      unused = undefined
      const wasAsked = asked.requests > 0
      if (told.ok && told.value.bootId !== bootId) return wasAsked ? down(told.value) : anew(told)
      // what was asked of it may begin as late as this, and then there is only its return to wait for
      if (!(told.ok && wasAsked && note(told.value))) {
        const call = told.ok ? await context.mayBegin(() => ready(told.value)) : told
        if (context.isStale()) return STILL_UP
        if (call === 'left') continue
        if (call.ok) {
          asked.requests += 1
          const { signal, processFile } = context
          const made = await call.value({ signal, processFile })
          asked.refusal = made.ok ? undefined : made.failure
          if (asked.refusal?.reason === 'permission-denied') {
            asked.requests -= 1
            return { ok: false, failure: asked.refusal }
          }
        } else {
          if (!wasAsked || call.failure.reason === 'other-node-than-declared') return call
          // that it may not be asked once more may come of what it was asked
          asked.refusal = call.failure
          mayAskAgain = false
        }
        // a lost call gives the same error whether the node goes down or not
        await watch(context, {
          what: `${plan.node} to ${request.begins}`,
          look: () => world.talos.glance(node, reading(world, context)),
          until: (glance) => !glance.ok || note(glance.value),
          deadlineMs: asked.refusal ? request.actsWithinMs.failed : request.actsWithinMs.accepted,
          everyMs: 200,
        })
      }
    }
    const { met, glance } = await watchReturn(world, plan.node, context, {
      what: `${plan.node} to ${request.ends}`,
      until: (now) => {
        note(now)
        return now.bootId !== bootId || isUp(now)
      },
      deadlineMs: Math.max(0, deadline - performance.now()),
    })
    const { repeats, ranOn } = request
    const next = afterWait({ met, last: glance, bootId }, asked, { node: plan.node, repeats, mayAskAgain, ranOn })
    if (next === 'left') {
      if (asked.requests > 0 && glance) return down(glance)
      const { seen } = await watch(context, {
        what: `${plan.node} to tell what it runs`,
        look: inspect,
        until: (told) => told.ok || told.failure.reason === 'other-node-than-declared',
        deadlineMs: Math.max(0, deadline - performance.now()),
        everyMs: 500,
      })
      return anew(seen)
    }
    if (next !== 'ask again') return { ok: false, failure: next }
    mayAct = true
  }
}
