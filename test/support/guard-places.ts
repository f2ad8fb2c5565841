/** Every place at which a machine asks a guard, found in its configuration, and the machine with another answer there. */
import { type AnyStateMachine, and, createMachine } from 'xstate'

/** `becomes`: what the guard says there, whatever is asked of it. */
export type GuardPlace = { at: string; of: string; answering(becomes: boolean): AnyStateMachine }

type Node = { [key: string]: unknown }

type Path = readonly (string | number)[]

export function guardPlaces(machine: AnyStateMachine): GuardPlace[] {
  const config = machine.config as unknown as Node
  return guardsIn(config, []).flatMap(({ path, guard }) => {
    const parts = partsOf(guard)
    return parts.map((part, index) => ({
      at: path.filter((key) => key !== 'states').join('.'),
      of: nameOf(part),
      answering(becomes: boolean) {
        const answer = () => becomes
        const instead =
          parts.length === 1 ? answer : and(parts.map((other, at) => (at === index ? answer : other)) as never)
        return createMachine(replaced(config, [...path, 'guard'], instead) as never, machine.implementations as never)
      },
    }))
  })
}

/** Guards anywhere in a configuration; what stands beside a target is one. */
function guardsIn(value: unknown, path: Path): { path: Path; guard: unknown }[] {
  if (typeof value !== 'object' || value === null) return []
  const own = 'guard' in value ? [{ path, guard: value.guard }] : []
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [...own, ...entries.flatMap(([key, inner]) => guardsIn(inner, [...path, key]))]
}

type Composed = { name: string; guards: unknown[] }

const isComposed = (guard: unknown): guard is Composed => typeof guard === 'function' && 'guards' in guard

const partsOf = (guard: unknown): unknown[] =>
  isComposed(guard) && guard.name === 'and' ? guard.guards.flatMap(partsOf) : [guard]

const nameOf = (guard: unknown): string => {
  if (isComposed(guard)) return `${guard.name}(${guard.guards.map(nameOf).join()})`
  return typeof guard === 'string' ? guard : JSON.stringify(guard)
}

function replaced(value: unknown, [key, ...rest]: Path, instead: unknown): unknown {
  if (key === undefined) return instead
  if (Array.isArray(value)) return value.map((inner, at) => (at === key ? replaced(inner, rest, instead) : inner))
  return { ...(value as Node), [key]: replaced((value as Node)[key], rest, instead) }
}
