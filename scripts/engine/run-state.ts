/**
 * A run as a value: machines advanced by XState's pure transitions, effects as data, outcomes fed back in.
 * The driver carries effects out; a test may walk every reachable state with the same functions.
 */
import { type AnyMachineSnapshot, type AnyStateMachine, initialTransition, transition } from 'xstate'
import { RESUMED, type Subject, subjectOf } from '../../workflows/machines/step.ts'
import type { Failure } from '../../workflows/model/failure.ts'
import type { StepMeta } from '../../workflows/model/step-facts.ts'

/** One invoke that was entered and has not ended. `path` is unique among the open ones: `k8s-1/turn/reboot`. */
export type Effect = {
  path: string
  meta: StepMeta
  about: Subject
  input: unknown
}

export type Outcome = { ok: true; output: unknown } | { ok: false; failure: Failure }

export type Machines = Readonly<Record<string, AnyStateMachine>>

export type RunState = {
  readonly machine: AnyStateMachine
  readonly snapshot: AnyMachineSnapshot
  /** own invokes, by id */
  readonly effects: ReadonlyMap<string, Omit<Effect, 'path'>>
  /** nested runs of the machines that this one spawned, by id */
  readonly children: ReadonlyMap<string, RunState>
}

type SpawnAction = { type: string; params: { id: string; src: string; input: unknown } }

/** Begins a run of `machine`; `machines` are those that it may spawn by name. */
export function begin(machines: Machines, machine: AnyStateMachine, input: unknown): RunState {
  const [snapshot, actions] = initialTransition(machine, input as never)
  return tellParent(machines, absorb(machines, { machine, snapshot, effects: new Map(), children: new Map() }, actions))
}

/** Advances the run by the outcome of the effect at `path`; a path that is not open is a bug of the caller. */
export function feed(machines: Machines, state: RunState, path: string, outcome: Outcome): RunState {
  if (state.effects.has(path)) return tellParent(machines, advance(machines, state, path, outcome))
  const child = [...state.children.keys()].find((id) => path.startsWith(`${id}/`))
  const nested = child === undefined ? undefined : state.children.get(child)
  if (child === undefined || nested === undefined) throw new Error(`no effect is open at ${path}`)
  const fed = feed(machines, nested, path.slice(child.length + 1), outcome)
  return tellParent(machines, { ...state, children: new Map(state.children).set(child, fed) })
}

/** Tells each machine that what was found before has expired; the steps that it leaves are open no more. */
export function expire(machines: Machines, state: RunState): RunState {
  const children = new Map([...state.children].map(([id, child]) => [id, expire(machines, child)]))
  const [snapshot, actions] = transition(state.machine, state.snapshot, { type: RESUMED } as never)
  return tellParent(machines, absorb(machines, { ...state, snapshot, children }, actions))
}

/** Everything that was started by the machines and has not ended. */
export function openEffects(state: RunState): Effect[] {
  return [
    ...[...state.effects].map(([path, effect]) => ({ ...effect, path })),
    ...[...state.children].flatMap(([id, child]) =>
      openEffects(child).map((effect) => ({ ...effect, path: `${id}/${effect.path}` })),
    ),
  ]
}

export const isDone = (state: RunState): boolean => state.snapshot.status !== 'active'

function advance(machines: Machines, state: RunState, id: string, outcome: Outcome): RunState {
  const event = outcome.ok
    ? { type: `xstate.done.actor.${id}`, output: outcome.output }
    : { type: `xstate.error.actor.${id}`, error: outcome.failure }
  const effects = new Map(state.effects)
  const children = new Map(state.children)
  effects.delete(id)
  children.delete(id)
  const [snapshot, actions] = transition(state.machine, state.snapshot, event as never)
  return absorb(machines, { ...state, snapshot, effects, children }, actions)
}

/** Takes the actions of a transition in: an effect that ends or begins, or a nested run where the source is a machine's name. */
function absorb(machines: Machines, state: RunState, actions: readonly unknown[]): RunState {
  const effects = new Map(state.effects)
  const children = new Map(state.children)
  const metas = Object.values(state.snapshot.getMeta()) as StepMeta[]
  for (const action of actions as SpawnAction[]) {
    if (action.type === 'xstate.stopChild') effects.delete(action.params.id)
    if (action.type !== 'xstate.spawnChild') continue
    const { id, src, input } = action.params
    const machine = machines[src]
    if (machine) {
      children.set(id, begin(machines, machine, input))
      continue
    }
    const meta = metas.find((m) => m.step === src)
    if (!meta) throw new Error(`the state that invokes ${src} has no meta`)
    effects.set(id, { meta, about: subjectOf(input), input })
  }
  return { ...state, effects, children }
}

/** A nested run that ended tells its parent, which may end or spawn in turn. */
function tellParent(machines: Machines, state: RunState): RunState {
  const ended = [...state.children].find(([, child]) => isDone(child))
  if (!ended) return state
  const [id, child] = ended
  return tellParent(machines, advance(machines, state, id, { ok: true, output: child.snapshot.output }))
}
